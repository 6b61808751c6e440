/**
 * The columns of task_instance, and the lists of them that statements are composed of. A new column gets a row in COLUMNS, and where it
 * is a setting or shown a line in SETTINGS or SHOWN: no statement needs a change. `columns.db.test.ts` holds all of it against the catalogue.
 */
import type { SerializedTask, TaskInstanceState } from "../../../contracts/index.ts";

type Column = {
  /** Copied into task_instance_history when a try ends for good. */
  inHistory: boolean;
  /** What a clear sets it to; null = it keeps its value. */
  cleared: string | null;
  /** Why the API does not show it; null = it does. */
  hiddenBecause: string | null;
};

/** What belongs to a deferral is emptied by the database's trigger leave_deferral, by whatever way the state is left. */
const BY_LEAVING = "by leave_deferral";

const COLUMNS = {
  // The row's place.
  dag_run_id: { inHistory: true, cleared: null, hiddenBecause: null },
  dag_id: { inHistory: true, cleared: null, hiddenBecause: null },
  run_id: { inHistory: true, cleared: null, hiddenBecause: null },
  task_id: { inHistory: true, cleared: null, hiddenBecause: null },
  map_index: { inHistory: true, cleared: null, hiddenBecause: null },
  dag_version_id: { inHistory: true, cleared: null, hiddenBecause: null },
  // Settings of its task.
  operator: { inHistory: true, cleared: null, hiddenBecause: null },
  retries: { inHistory: false, cleared: null, hiddenBecause: "max_tries tells it" },
  pool: { inHistory: true, cleared: null, hiddenBecause: null },
  pool_slots: { inHistory: true, cleared: null, hiddenBecause: null },
  queue: { inHistory: true, cleared: null, hiddenBecause: null },
  executor: { inHistory: true, cleared: null, hiddenBecause: null },
  priority_weight: { inHistory: true, cleared: null, hiddenBecause: null },
  max_active_tis_per_dag: { inHistory: false, cleared: null, hiddenBecause: "a limit of the task" },
  max_active_tis_per_dagrun: { inHistory: false, cleared: null, hiddenBecause: "a limit of the task" },
  // The try.
  id: { inHistory: true, cleared: "gen_random_uuid()", hiddenBecause: null },
  state: { inHistory: true, cleared: "null", hiddenBecause: null },
  try_number: { inHistory: true, cleared: null, hiddenBecause: null },
  max_tries: { inHistory: true, cleared: "ti.try_number + ti.retries", hiddenBecause: null },
  scheduled_dttm: { inHistory: true, cleared: "null", hiddenBecause: null },
  queued_dttm: { inHistory: true, cleared: "null", hiddenBecause: null },
  queued_by_job_id: { inHistory: false, cleared: "null", hiddenBecause: "for adoption" },
  queue_attempts: { inHistory: false, cleared: "0", hiddenBecause: "for recovery" },
  start_date: { inHistory: true, cleared: "null", hiddenBecause: null },
  end_date: { inHistory: true, cleared: "null", hiddenBecause: null },
  duration: { inHistory: true, cleared: "null", hiddenBecause: null },
  next_attempt_at: { inHistory: false, cleared: "null", hiddenBecause: "for readiness" },
  reschedule_count: { inHistory: false, cleared: "0", hiddenBecause: "for the worker" },
  first_start_date: { inHistory: false, cleared: "null", hiddenBecause: "for the worker" },
  hostname: { inHistory: true, cleared: "null", hiddenBecause: null },
  unixname: { inHistory: true, cleared: "null", hiddenBecause: null },
  pid: { inHistory: true, cleared: "null", hiddenBecause: null },
  last_heartbeat_at: { inHistory: false, cleared: "null", hiddenBecause: "for recovery" },
  external_executor_id: { inHistory: true, cleared: "null", hiddenBecause: null },
  stop_reason: { inHistory: true, cleared: "null", hiddenBecause: null },
  rendered_map_index: { inHistory: false, cleared: "null", hiddenBecause: null },
  // The instance, through all its tries.
  note: { inHistory: false, cleared: null, hiddenBecause: null },
  updated_at: { inHistory: false, cleared: "now()", hiddenBecause: "a filter only, as in Airflow" },
  // Its deferral.
  trigger_id: { inHistory: false, cleared: BY_LEAVING, hiddenBecause: "the trigger itself is shown" },
  trigger_timeout: { inHistory: false, cleared: BY_LEAVING, hiddenBecause: "for the triggerer" },
  next_method: { inHistory: false, cleared: BY_LEAVING, hiddenBecause: "for the worker" },
  next_kwargs: { inHistory: false, cleared: BY_LEAVING, hiddenBecause: "may hold secrets" },
  next_event: { inHistory: false, cleared: BY_LEAVING, hiddenBecause: "may hold secrets" },
  next_failure: { inHistory: false, cleared: BY_LEAVING, hiddenBecause: "for the worker" },
} satisfies Record<string, Column>;
type ColumnName = keyof typeof COLUMNS;
/** @public For the test over the catalogue. */
export const TASK_INSTANCE_COLUMNS: Readonly<Record<ColumnName, Column>> = COLUMNS;

const names = Object.keys(COLUMNS) as ColumnName[];

/** A task instance to be made. What it takes from its task is in SETTINGS. */
export type NewInstance = {
  task: SerializedTask;
  /** -1 = not mapped, or not expanded yet. */
  mapIndex: number;
  /** The task's own one, or the default. */
  executor: string;
  /** What the task's weight rule gives in its DAG. */
  priorityWeight: number;
};

type Setting = { type: "text" | "int"; of(instance: NewInstance): string | number | null };
const SETTINGS: Partial<Record<ColumnName, Setting>> = {
  operator: { type: "text", of: ({ task }) => task.operator },
  retries: { type: "int", of: ({ task }) => task.retries },
  pool: { type: "text", of: ({ task }) => task.pool },
  pool_slots: { type: "int", of: ({ task }) => task.poolSlots },
  queue: { type: "text", of: ({ task }) => task.queue },
  executor: { type: "text", of: ({ executor }) => executor },
  priority_weight: { type: "int", of: ({ priorityWeight }) => priorityWeight },
  max_active_tis_per_dag: { type: "int", of: ({ task }) => task.maxActiveTisPerDag },
  max_active_tis_per_dagrun: { type: "int", of: ({ task }) => task.maxActiveTisPerDagrun },
};
const settings = Object.entries(SETTINGS);

/** The settings' names, of `alias` if one is given. */
export function settingColumns(alias?: string): string {
  return settings.map(([name]) => (alias === undefined ? name : `${alias}.${name}`)).join(", ");
}

/** `operator = w.operator, …` */
export function settingsFrom(alias: string): string {
  return settings.map(([name]) => `${name} = ${alias}.${name}`).join(", ");
}

/** The settings as parameters of an `unnest`, an array for each: `$3::text[], $4::int[], …`. Their values: `settingValues`. */
export function settingArrays(first: number): string {
  return settings.map(([, { type }], at) => `$${first + at}::${type}[]`).join(", ");
}

export function settingValues(instances: readonly NewInstance[]): readonly unknown[][] {
  return settings.map(([, { of }]) => instances.map(of));
}

/** Where the history's copy differs from the row: SQL for its state, reason, end, duration and, if the try is stopped by this, stop reason. */
type Archived = { state: string; reason: string; end_date: string; duration: string; stop_reason?: string };

/** Copies tries into the history out of `source`, which holds whole rows of task_instance. */
export function archiveFrom(source: string, own: Archived): string {
  const kept = names.filter((name) => COLUMNS[name].inHistory);
  const differing: Partial<Record<string, string>> = own;
  return `insert into task_instance_history (${kept.join(", ")}, reason)
  select ${kept.map((name) => differing[name] ?? `h.${name}`).join(", ")}, ${own.reason} from ${source} h`;
}

/** What a clear sets, of the row `ti`. */
export const CLEARED: string = names
  .filter((name) => COLUMNS[name].cleared !== null && COLUMNS[name].cleared !== BY_LEAVING)
  .map((name) => `${name} = ${COLUMNS[name].cleared}`)
  .join(", ");

/** What is shown of a try, the current one or an earlier. */
export type OwnOfTry = {
  dagRunId: number;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  state: TaskInstanceState | null;
  tryNumber: number;
  maxTries: number;
  startDate: Date | null;
  endDate: Date | null;
  duration: number | null;
  hostname: string | null;
  unixname: string | null;
  pid: number | null;
  pool: string;
  poolSlots: number;
  queue: string;
  executor: string;
  /** Its launch in the executor's outside system, e.g. the ARN of an ECS task; null = there is none. */
  externalExecutorId: string | null;
  priorityWeight: number;
  operator: string;
  scheduledAt: Date | null;
  queuedAt: Date | null;
  versionId: string;
  /** Who or what ended it; null if it ended by itself. */
  stopReason: string | null;
};
const SHOWN_OF_TRY: Record<keyof OwnOfTry, ColumnName> = {
  dagRunId: "dag_run_id",
  dagId: "dag_id",
  runId: "run_id",
  taskId: "task_id",
  mapIndex: "map_index",
  state: "state",
  tryNumber: "try_number",
  maxTries: "max_tries",
  startDate: "start_date",
  endDate: "end_date",
  duration: "duration",
  hostname: "hostname",
  unixname: "unixname",
  pid: "pid",
  pool: "pool",
  poolSlots: "pool_slots",
  queue: "queue",
  executor: "executor",
  externalExecutorId: "external_executor_id",
  priorityWeight: "priority_weight",
  operator: "operator",
  scheduledAt: "scheduled_dttm",
  queuedAt: "queued_dttm",
  versionId: "dag_version_id",
  stopReason: "stop_reason",
};

/** What is shown of the instance beside its current try. */
export type OwnOfInstance = { id: string; note: string | null; renderedMapIndex: string | null };
const SHOWN_OF_INSTANCE: Record<keyof OwnOfInstance, ColumnName> = {
  id: "id",
  note: "note",
  renderedMapIndex: "rendered_map_index",
};
/** @public For the test over the catalogue. */
export const SHOWN: readonly ColumnName[] = [...Object.values(SHOWN_OF_TRY), ...Object.values(SHOWN_OF_INSTANCE)];

const select = (shown: Record<string, ColumnName>) =>
  Object.entries(shown)
    .map(([name, column]) => `ti.${column} as "${name}"`)
    .join(", ");
/** Selects an `OwnOfTry` of `ti`, a row of task_instance or of its history. */
export const TRY_SHOWN: string = select(SHOWN_OF_TRY);
/** Selects an `OwnOfInstance` of `ti`. */
export const INSTANCE_SHOWN: string = select(SHOWN_OF_INSTANCE);
