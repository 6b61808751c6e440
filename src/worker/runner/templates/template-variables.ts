import { DateTime } from "luxon";
import type { Connection, JsonValue } from "../../../contracts/index.ts";
import type { NotifierContext, TaskContext, XComAccess } from "../../../sdk/index.ts";
import { parseVariable } from "../create-context.ts";
import type { RunnerCaller } from "../runner-caller.ts";
import { createBudget } from "./budget.ts";
import { isoWithOffset, strftime, strptime } from "./format-date.ts";
import { type LookupCache, LookupNamespace, lookUp } from "./lookup.ts";
import { isTruthy } from "./operators.ts";
import { type TemplateDate, timedelta, toTemplateDate } from "./template-date.ts";
import { callable } from "./template-function.ts";
import { describe, isDate, measure, toNumber, toPlainText } from "./template-values.ts";

/** Of a task, of its callbacks, or of a DAG's callbacks, which have no task instance. */
export type TemplateContext = TaskContext | NotifierContext;

/** The names that templates know, Airflow's; `options`, once they are rendered, stand under `task`. Those of the logical date are absent where the run has none. */
export function createTemplateVariables(
  ctx: TemplateContext,
  caller: RunnerCaller,
  cache: LookupCache,
  options: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { run } = ctx;
  const dagRun = {
    dag_id: run.dagId,
    run_id: run.runId,
    run_type: run.runType,
    logical_date: null,
    data_interval_start: null,
    data_interval_end: null,
    start_date: null,
    conf: run.conf,
    clear_number: run.clearNumber,
    note: run.note,
    triggering_user_name: run.triggeringUserName,
  };
  const ofInterval = {
    logical_date: run.logicalDate,
    data_interval_start: run.dataIntervalStart,
    data_interval_end: run.dataIntervalEnd,
  };
  const variables = {
    ...dateVariables(run.logicalDate),
    run_id: run.runId,
    dag: { dag_id: ctx.dag.dagId, tags: [...ctx.dag.tags], timezone: ctx.dag.timezone },
    ...taskVariables(ctx, cache, options),
    ...callbackVariables(ctx),
    params: ctx.params,
    conf: ctx.conf,
    dag_run: addDates(dagRun, { ...ofInterval, run_after: run.runAfter, start_date: run.startDate }),
    var: createVariableNamespaces(caller, cache),
    conn: new LookupNamespace("conn", "conn_id, default_conn|default=None", (connId) => {
      const load = () => caller.call("getConnection", { connId });
      const connection = lookUp(cache, `conn.${connId}`, load) as Connection | null;
      return connection === null ? undefined : toTemplateConnection(connection);
    }),
    macros: MACROS,
    None: null,
    True: true,
    False: false,
  };
  return addDates(variables, ofInterval);
}

/** Adds those dates that there are, each made on first use: most templates read none, and a date has twenty methods. */
function addDates(target: Record<string, unknown>, dates: Readonly<Record<string, Date | null>>): Record<string, unknown> {
  for (const [name, date] of Object.entries(dates)) {
    if (date === null) continue;
    let made: TemplateDate | undefined;
    const get = () => {
      made ??= toTemplateDate(DateTime.fromJSDate(date, { zone: "utc" }));
      return made;
    };
    Object.defineProperty(target, name, { enumerable: true, configurable: true, get });
  }
  return target;
}

function taskVariables(
  ctx: TemplateContext,
  cache: LookupCache,
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { ti, task, xcom } = ctx;
  if (ti === undefined || task === undefined || xcom === undefined) return {};
  const facts = {
    dag_id: ti.dagId,
    task_id: ti.taskId,
    run_id: ti.runId,
    map_index: ti.mapIndex,
    try_number: ti.tryNumber,
    max_tries: ti.maxTries,
    xcom_pull: createXComPull(xcom, cache),
  };
  const taskInstance = addDates(facts, { start_date: ti.startDate });
  return {
    task: { ...options, task_id: task.taskId, task_type: task.operator, upstream_task_ids: [...task.upstream] },
    ti: taskInstance,
    task_instance: taskInstance,
    task_instance_key_str: `${ti.dagId}__${ti.taskId}__${ctx.ds?.replaceAll("-", "") ?? ti.runId}`,
    try_number: ti.tryNumber,
    map_index: ti.mapIndex,
  };
}

function callbackVariables(ctx: TemplateContext): Record<string, unknown> {
  if (!("reason" in ctx)) return {};
  const { error, reason } = ctx;
  return { reason, exception: error === undefined ? null : `${error.name}: ${error.message}` };
}

const MACROS = {
  /** `ds_add("2024-01-31", 1)` → "2024-02-01". */
  ds_add: callable("ds, days", (ds: unknown, days: unknown) =>
    strftime(strptime(toPlainText(ds), "%Y-%m-%d").plus({ days: toNumber(days, "macros.ds_add()") }), "%Y-%m-%d"),
  ),
  ds_format: callable("ds, input_format, output_format", (ds: unknown, from: unknown, to: unknown) =>
    strftime(strptime(toPlainText(ds), toPlainText(from)), toPlainText(to)),
  ),
  timedelta,
  /** In UTC. */
  datetime: callable("year, month, day, hour=0, minute=0, second=0, microsecond=0", createDate, {
    members: {
      strptime: callable("date_string, format", (text: unknown, format: unknown) =>
        toTemplateDate(strptime(toPlainText(text), toPlainText(format))),
      ),
      fromisoformat: callable("date_string", (text: unknown) => {
        const date = DateTime.fromISO(toPlainText(text), { zone: "utc" });
        if (!date.isValid) throw new Error(`${describe(text)} is not a date as 2026-01-31 or 2026-01-31T08:00:00+00:00`);
        return toTemplateDate(date);
      }),
    },
  }),
  json: {
    dumps: callable("obj, *, indent=None, sort_keys=False", (value: unknown, indent: unknown, sorts: unknown) => {
      const spaces = indent === undefined || indent === null ? 0 : Math.min(10, toNumber(indent, "macros.json.dumps()"));
      measure(value, createBudget(), spaces);
      return JSON.stringify(isTruthy(sorts) ? sortKeys(value) : value, null, spaces);
    }),
    loads: callable("s", (text: unknown): JsonValue => parseJson(toPlainText(text))),
  },
};

function createDate(...fields: unknown[]): TemplateDate {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, micros = 0] = fields.map((field) =>
    field === undefined ? undefined : toNumber(field, "macros.datetime()"),
  );
  const date = DateTime.utc(year, month, day, hour, minute, second, Math.floor(micros / 1_000));
  if (!date.isValid) throw new Error(`macros.datetime(): there is no such date (${date.invalidExplanation ?? ""})`);
  return toTemplateDate(date);
}

/** A copy. `value` was measured before, so that it ends. */
function sortKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || isDate(value)) return value;
  if (Array.isArray(value)) return value.map(sortKeys);
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sortKeys((value as Record<string, unknown>)[key])]));
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`macros.json.loads(): ${describe(text)} is not JSON (${(error as Error).message})`, { cause: error });
  }
}

function dateVariables(logicalDate: Date | null): Record<string, string> {
  if (logicalDate === null) return {};
  const date = DateTime.fromJSDate(logicalDate, { zone: "utc" });
  return {
    ds: strftime(date, "%Y-%m-%d"),
    ds_nodash: strftime(date, "%Y%m%d"),
    ts: isoWithOffset(date),
    ts_nodash: strftime(date, "%Y%m%dT%H%M%S"),
    ts_nodash_with_tz: `${strftime(date, "%Y%m%dT%H%M%S")}+0000`,
  };
}

function createVariableNamespaces(caller: RunnerCaller, cache: LookupCache) {
  const find = (key: string) => {
    const found = lookUp(cache, `var.${key}`, () => caller.call("getVariable", { key })) as { value: string } | null;
    return found?.value;
  };
  const get = "key, default|default_var=None";
  return {
    value: new LookupNamespace("var.value", get, find),
    json: new LookupNamespace("var.json", get, (key) => {
      const text = find(key);
      return text === undefined ? undefined : parseVariable(key, text);
    }),
  };
}

function toTemplateConnection(connection: Connection): Record<string, unknown> {
  return {
    conn_id: connection.connId,
    conn_type: connection.connType,
    description: connection.description,
    host: connection.host,
    schema: connection.schema,
    login: connection.login,
    password: connection.password,
    port: connection.port,
    extra: JSON.stringify(connection.extra),
    extra_dejson: connection.extra,
  };
}

const PULL =
  "task_ids=None, dag_id=None, key='return_value', include_prior_dates=False, *, map_indexes=None, default=None, run_id=None";

/** Airflow's. */
function createXComPull(xcom: XComAccess, cache: LookupCache) {
  return callable(PULL, (...args: unknown[]): unknown => {
    const [taskIds, dagId, key, includePriorDates, mapIndexes, fallback, runId] = args;
    if (typeof taskIds !== "string" && !Array.isArray(taskIds)) {
      throw new Error("ti.xcom_pull() needs task_ids, a task id or a list of them");
    }
    const options = {
      ...textOption("dagId", "dag_id", dagId),
      ...textOption("key", "key", key),
      ...textOption("runId", "run_id", runId),
      includePriorDates: isTruthy(includePriorDates),
    };
    const pull = (taskId: unknown, mapIndex: unknown) => {
      const all = { ...options, ...indexOption(mapIndex) };
      const name = `xcom ${JSON.stringify([taskId, all])}`;
      return lookUp(cache, name, () => xcom.pull(toPlainText(taskId), all)) ?? fallback ?? null;
    };
    const pullTask = (taskId: unknown): unknown =>
      Array.isArray(mapIndexes) ? mapIndexes.map((index) => pull(taskId, index)) : pull(taskId, mapIndexes);
    if (Array.isArray(taskIds) && Array.isArray(mapIndexes)) return taskIds.flatMap(pullTask);
    return Array.isArray(taskIds) ? taskIds.map(pullTask) : pullTask(taskIds);
  });
}

function textOption(option: string, name: string, value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "string") throw new Error(`ti.xcom_pull(): ${name} must be a text, not ${describe(value)}`);
  return { [option]: value };
}

function indexOption(value: unknown): { mapIndex?: number } {
  if (value === undefined || value === null) return {};
  if (!Number.isInteger(value)) throw new Error(`ti.xcom_pull(): map_indexes must be numbers, not ${describe(value)}`);
  return { mapIndex: value as number };
}
