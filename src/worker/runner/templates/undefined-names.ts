const OF_THE_LOGICAL_DATE = ["ds", "ds_nodash", "ts", "ts_nodash", "logical_date", "data_interval_start", "data_interval_end"];

/** Python's modules and classes among Airflow's macros, and what to write instead. */
const INSTEAD_OF_MACROS: Readonly<Record<string, string>> = {
  time: "write a date with logical_date.strftime('%H:%M')",
  dateutil: "read a date with macros.datetime.fromisoformat('2026-01-31'), move it with .add(months=1)",
  uuid: "make it in the task, with crypto.randomUUID()",
  random: "make it in the task, with Math.random()",
};
const OTHER_MACROS =
  "the macros are ds_add, ds_format, datetime, timedelta and json; a template has no clock, but dag_run.start_date and data_interval_end";

const CONF_IS = "conf is the conf of the run here, as in dag_run.conf, and not Airflow's configuration";
/** Sections of Airflow's configuration. */
const CONFIG_SECTIONS: readonly string[] =
  "api celery core dag_processor database email kubernetes_executor logging metrics operators scheduler secrets sensors smtp triggerer webserver workers".split(
    " ",
  );

/** `conf.get('core', 'dags_folder')` would give 'dags_folder', the fallback. */
export function refuseConfigSection([key, ...more]: readonly unknown[], conf: unknown): void {
  if (typeof key !== "string" || more.length === 0 || !CONFIG_SECTIONS.includes(key)) return;
  if (typeof conf === "object" && conf !== null && Object.hasOwn(conf, key)) return;
  throw new Error(`conf.get('${key}', …): ${CONF_IS}; put the value into a variable and write var.value.NAME`);
}

const UNCHANGED = "lists and objects are not changed by templates";
/** Methods of Python that a template lacks, and what to write instead. */
const INSTEAD_OF_METHODS: Readonly<Record<string, string>> = {
  append: `${UNCHANGED}: write {% set x = x + [value] %}, in a loop with a namespace()`,
  extend: `${UNCHANGED}: write {% set x = x + more %}, in a loop with a namespace()`,
  update: `${UNCHANGED}: write {% set x = dict(x, key=value) %}`,
  pop: UNCHANGED,
  sort: `${UNCHANGED}: write x | sort`,
  reverse: `${UNCHANGED}: write x | reverse`,
  format: "write a date with .strftime('%Y-%m-%d')",
  now: "a template has no clock: write dag_run.start_date or data_interval_end",
  utcnow: "a template has no clock: write dag_run.start_date or data_interval_end",
  encode: "bytes are not known here",
};
const INSTEAD_OF_FUNCTIONS: Readonly<Record<string, string>> = {
  len: "write x | length",
  str: "write x | string",
  int: "write x | int",
  float: "write x | float",
  list: "write x | list",
  sorted: "write x | sort",
  enumerate: "write loop.index0 in the loop",
  lipsum: "it is not known here",
  "conf.getint": CONF_IS,
  "conf.getboolean": CONF_IS,
  "conf.getfloat": CONF_IS,
  loop: "{% for … recursive %} is not supported: write a macro that calls itself",
};

const HOW_TO_GIVE: Readonly<Record<string, (key: string) => string>> = {
  "var.value": (key) => `set it with "baram variables set ${key} VALUE", or write var.value.get('${key}', 'fallback')`,
  "var.json": (key) => `set it with "baram variables set ${key} JSON", or write var.json.get('${key}', 'fallback')`,
  conn: (key) => `add it with "baram connections add ${key}"`,
  params: (key) => `declare ${key} in the DAG's params, or give it in the conf of the run`,
};

const NEIGHBOUR =
  "for a date before or after the logical date use logical_date.subtract(days=1), logical_date.add(days=1) or macros.ds_add(ds, -1)";
const PREVIOUS_RUN =
  "facts of earlier runs are not available in templates; data_interval_start.subtract(days=1) is a date before this run's";
const ASSETS = "Baram has no assets";

/** Names of templates that Airflow has or had, and what to write instead. */
const INSTEAD_OF_AIRFLOWS: Readonly<Record<string, string>> = {
  execution_date: "it is called logical_date",
  ...Object.fromEntries(
    ["prev_ds", "next_ds", "yesterday_ds", "tomorrow_ds", "prev_execution_date", "next_execution_date"].flatMap((name) => [
      [name, NEIGHBOUR],
      [`${name}_nodash`, NEIGHBOUR],
    ]),
  ),
  ...Object.fromEntries(
    [
      "prev_data_interval_start_success",
      "prev_data_interval_end_success",
      "prev_start_date_success",
      "prev_end_date_success",
      "prev_execution_date_success",
    ].map((name) => [name, PREVIOUS_RUN]),
  ),
  ...Object.fromEntries(
    ["inlets", "outlets", "inlet_events", "outlet_events", "triggering_asset_events"].map((name) => [name, ASSETS]),
  ),
  test_mode: "Baram has no test mode",
};

/** A run may have been triggered without a logical date; the message should say so. */
export function hintFor(name: string): string {
  const macro = /^macros\.([^.(]+)/.exec(name)?.[1];
  if (macro !== undefined) {
    const instead = Object.hasOwn(INSTEAD_OF_MACROS, macro) ? INSTEAD_OF_MACROS[macro] : undefined;
    return instead === undefined ? ` (${OTHER_MACROS})` : ` (macros.${macro} is Python's: ${instead})`;
  }
  if (Object.hasOwn(INSTEAD_OF_FUNCTIONS, name)) return ` (${INSTEAD_OF_FUNCTIONS[name]})`;
  const [, kind = "", key] = /^(var\.(?:value|json)|conn|params)\.([^.(]+)$/.exec(name) ?? [];
  if (key !== undefined) return ` (${HOW_TO_GIVE[kind]?.(key)})`;
  const method = name.slice(name.lastIndexOf(".") + 1);
  if (name !== method && Object.hasOwn(INSTEAD_OF_METHODS, method)) return ` (${INSTEAD_OF_METHODS[method]})`;
  if (Object.hasOwn(INSTEAD_OF_AIRFLOWS, name)) return ` (${INSTEAD_OF_AIRFLOWS[name]})`;
  if (!OF_THE_LOGICAL_DATE.includes(name)) return "";
  return " (this run was triggered without a logical date: trigger it with one, or use dag_run.run_after)";
}
