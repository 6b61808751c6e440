import { DateTime } from "luxon";
import type { Connection, JsonValue } from "../../../contracts/index.ts";
import type { NotifierContext, TaskContext, XComAccess } from "../../../sdk/index.ts";
import { parseVariable } from "../create-context.ts";
import type { RunnerCaller } from "../runner-caller.ts";
import { createBudget } from "./budget.ts";
import { isoWithOffset, strftime, strptime } from "./format-date.ts";
import { type LookupCache, LookupNamespace, lookUp } from "./lookup.ts";
import { type TemplateDate, toTemplateDate } from "./template-date.ts";
import { callable, callables, Keywords } from "./template-function.ts";
import { measure, toPlainText } from "./template-values.ts";

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
    conn: new LookupNamespace("conn", (connId) => {
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

const MACROS = callables({
  /** `ds_add("2024-01-31", 1)` → "2024-02-01". */
  ds_add: (ds: unknown, days: unknown) =>
    strftime(strptime(toPlainText(ds), "%Y-%m-%d").plus({ days: Number(days) }), "%Y-%m-%d"),
  ds_format: (ds: unknown, from: unknown, to: unknown) => strftime(strptime(toPlainText(ds), toPlainText(from)), toPlainText(to)),
  datetime: callables({
    strptime: (text: unknown, format: unknown) => toTemplateDate(strptime(toPlainText(text), toPlainText(format))),
    fromisoformat: (text: unknown) => toTemplateDate(DateTime.fromISO(toPlainText(text), { zone: "utc" })),
  }),
  json: callables({
    dumps: (value: unknown) => {
      measure(value, createBudget());
      return JSON.stringify(value);
    },
    loads: (text: unknown): JsonValue => JSON.parse(toPlainText(text)),
  }),
});

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
  return {
    value: new LookupNamespace("var.value", find),
    json: new LookupNamespace("var.json", (key) => {
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

type PullArgs = {
  task_ids?: unknown;
  dag_id?: unknown;
  key?: unknown;
  include_prior_dates?: unknown;
  run_id?: unknown;
  map_indexes?: unknown;
  default?: unknown;
};

/** Airflow's `xcom_pull(task_ids, dag_id, key, include_prior_dates, *, map_indexes, default, run_id)`. */
function createXComPull(xcom: XComAccess, cache: LookupCache) {
  return callable((...args: unknown[]): unknown => {
    const given = readPullArgs(args);
    if (typeof given.task_ids !== "string" && !Array.isArray(given.task_ids)) {
      throw new Error("ti.xcom_pull() needs task_ids, a task id or a list of them");
    }
    const options = {
      ...(typeof given.dag_id === "string" ? { dagId: given.dag_id } : {}),
      ...(typeof given.key === "string" ? { key: given.key } : {}),
      ...(typeof given.run_id === "string" ? { runId: given.run_id } : {}),
      ...(typeof given.map_indexes === "number" ? { mapIndex: given.map_indexes } : {}),
      includePriorDates: given.include_prior_dates === true,
    };
    const pull = (taskId: unknown) => {
      const name = `xcom ${JSON.stringify([taskId, options])}`;
      return lookUp(cache, name, () => xcom.pull(toPlainText(taskId), options)) ?? given.default ?? null;
    };
    return Array.isArray(given.task_ids) ? given.task_ids.map(pull) : pull(given.task_ids);
  });
}

function readPullArgs(args: unknown[]): PullArgs {
  const last = args.at(-1);
  const [task_ids, dag_id, key, include_prior_dates] = last instanceof Keywords ? args.slice(0, -1) : args;
  const positional = { task_ids, dag_id, key, include_prior_dates };
  const named: PullArgs = last instanceof Keywords ? last.values : {};
  return { ...Object.fromEntries(Object.entries(positional).filter(([, value]) => value !== undefined)), ...named };
}
