import type { JsonObject, TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import {
  type Fragment,
  type Listed,
  matching,
  oneOf,
  oneOfOrNone,
  type Page,
  type Range,
  readPage,
  send,
  sql,
  startingWith,
  within,
} from "../compose.ts";
import type { RunDateRanges } from "../dag-run/list-runs.ts";

/** One try of a task instance, the current or an earlier one. */
export type TryRow = {
  dagRunId: number;
  dagId: string;
  dagDisplayName: string;
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
  priorityWeight: number;
  operator: string;
  scheduledAt: Date | null;
  queuedAt: Date | null;
  versionId: string;
  versionNumber: number | null;
  versionCreatedAt: Date | null;
  bundleName: string | null;
};
export type InstanceRow = TryRow & {
  id: string;
  note: string | null;
  renderedMapIndex: string | null;
  logicalDate: Date | null;
  runAfter: Date;
  /** What a deferred instance waits for, and who waits in its place. */
  triggerId: number | null;
  triggerClasspath: string | null;
  triggerCreatedAt: Date | null;
  triggererId: number | null;
  triggererState: string | null;
  triggererHostname: string | null;
  triggererStartedAt: Date | null;
  triggererHeartbeatAt: Date | null;
};

export type InstanceFilter = {
  dagIds?: readonly string[];
  runIds?: readonly string[];
  dagRunId?: number;
  taskIds?: readonly string[];
  mapIndexes?: readonly number[];
  /** Only instances with a map index of their own. */
  isExpanded?: boolean;
  states?: readonly string[];
  pools?: readonly string[];
  queues?: readonly string[];
  executors?: readonly string[];
  operators?: readonly string[];
  tryNumbers?: readonly number[];
  versionNumbers?: readonly number[];
  patterns?: Partial<Record<InstancePatternKey, string>>;
  prefixes?: Partial<Record<InstancePatternKey, string>>;
  ranges: RunDateRanges & { duration?: Range<number> };
};

/** The columns both of task_instance and of its history. */
export const TRY_COLUMNS = sql`ti.dag_run_id as "dagRunId", ti.dag_id as "dagId", coalesce(d.display_name, ti.dag_id) as "dagDisplayName", ti.run_id as "runId",
  ti.task_id as "taskId", ti.map_index as "mapIndex", ti.state, ti.try_number as "tryNumber", ti.max_tries as "maxTries",
  ti.start_date as "startDate", ti.end_date as "endDate", ti.duration, ti.hostname, ti.unixname, ti.pid, ti.pool, ti.pool_slots as "poolSlots",
  ti.queue, ti.executor, ti.priority_weight as "priorityWeight", ti.operator, ti.scheduled_dttm as "scheduledAt", ti.queued_dttm as "queuedAt",
  ti.dag_version_id as "versionId", v.version_number as "versionNumber", v.created_at as "versionCreatedAt", d.bundle_name as "bundleName"`;
export const TRY_JOINS = sql`left join dag d on d.dag_id = ti.dag_id left join dag_version v on v.id = ti.dag_version_id`;

const columns = sql`${TRY_COLUMNS}, ti.id, ti.note, ti.rendered_map_index as "renderedMapIndex", r.logical_date as "logicalDate", r.run_after as "runAfter",
  tg.id as "triggerId", tg.classpath as "triggerClasspath", tg.created_date as "triggerCreatedAt", tj.id as "triggererId",
  tj.state as "triggererState", tj.hostname as "triggererHostname", tj.start_date as "triggererStartedAt", tj.latest_heartbeat as "triggererHeartbeatAt"`;
const from = sql`task_instance ti left join dag_run r on r.id = ti.dag_run_id ${TRY_JOINS}
  left join trigger tg on tg.id = ti.trigger_id left join job tj on tj.id = tg.triggerer_id`;

const patternable = {
  dag_id: sql`ti.dag_id`,
  run_id: sql`ti.run_id`,
  task_display_name: sql`ti.task_id`,
  pool_name: sql`ti.pool`,
  queue_name: sql`ti.queue`,
  operator_name: sql`ti.operator`,
  rendered_map_index: sql`coalesce(ti.rendered_map_index, ti.map_index::text)`,
};
export type InstancePatternKey = keyof typeof patternable;
export const INSTANCE_PATTERN_KEYS = Object.keys(patternable) as InstancePatternKey[];

const orderable = {
  id: sql`ti.id`,
  task_id: sql`ti.task_id`,
  dag_id: sql`ti.dag_id`,
  run_id: sql`ti.run_id`,
  dag_run_id: sql`ti.run_id`,
  state: sql`ti.state`,
  duration: sql`ti.duration`,
  start_date: sql`ti.start_date`,
  end_date: sql`ti.end_date`,
  logical_date: sql`r.logical_date`,
  run_after: sql`r.run_after`,
  data_interval_start: sql`r.data_interval_start`,
  data_interval_end: sql`r.data_interval_end`,
  map_index: sql`ti.map_index`,
  rendered_map_index: sql`coalesce(ti.rendered_map_index, ti.map_index::text)`,
  try_number: sql`ti.try_number`,
  pool: sql`ti.pool`,
  queue: sql`ti.queue`,
  operator: sql`ti.operator`,
};
export type InstanceOrderKey = keyof typeof orderable;
export const INSTANCE_ORDER_KEYS = Object.keys(orderable) as InstanceOrderKey[];

/** Without an order, pages follow the primary key, which needs no sort however large the table is. */
export async function listInstances(db: Db, filter: InstanceFilter, page: Page<InstanceOrderKey>): Promise<Listed<InstanceRow>> {
  const { ranges } = filter;
  const where: Fragment[] = [
    ...oneOf(sql`ti.dag_id`, filter.dagIds),
    ...oneOf(sql`ti.run_id`, filter.runIds),
    ...oneOf(sql`ti.task_id`, filter.taskIds),
    ...oneOf(sql`ti.map_index`, filter.mapIndexes),
    ...oneOfOrNone(sql`ti.state`, filter.states),
    ...oneOf(sql`ti.pool`, filter.pools),
    ...oneOf(sql`ti.queue`, filter.queues),
    ...oneOf(sql`ti.executor`, filter.executors),
    ...oneOf(sql`ti.operator`, filter.operators),
    ...oneOf(sql`ti.try_number`, filter.tryNumbers),
    ...oneOf(sql`v.version_number`, filter.versionNumbers),
    ...within(sql`r.logical_date`, ranges.logical_date),
    ...within(sql`r.run_after`, ranges.run_after),
    ...within(sql`ti.start_date`, ranges.start_date),
    ...within(sql`ti.end_date`, ranges.end_date),
    ...within(sql`ti.updated_at`, ranges.updated_at),
    ...within(sql`ti.duration`, ranges.duration),
  ];
  if (filter.isExpanded) where.push(sql`ti.map_index >= 0`);
  if (filter.dagRunId !== undefined) where.push(sql`ti.dag_run_id = ${filter.dagRunId}`);
  for (const key of INSTANCE_PATTERN_KEYS) {
    where.push(...matching(patternable[key], filter.patterns?.[key]));
    where.push(...startingWith(patternable[key], filter.prefixes?.[key]));
  }
  const tieBreak = [sql`ti.dag_run_id`, sql`ti.task_id`, sql`ti.map_index`];
  return readPage<InstanceRow, InstanceOrderKey>(db, { columns, from, where, page, orderable, tieBreak });
}

export type InstanceKey = { dagRunId: number; taskId: string; mapIndex: number };

export async function findInstances(db: Db, keys: readonly InstanceKey[]): Promise<InstanceRow[]> {
  return send<InstanceRow>(
    db,
    sql`select ${columns} from ${from}
         where (ti.dag_run_id, ti.task_id, ti.map_index) in (select * from unnest(${keys.map((key) => key.dagRunId)}::bigint[],
                 ${keys.map((key) => key.taskId)}::text[], ${keys.map((key) => key.mapIndex)}::int[]))
         order by ti.dag_run_id, ti.task_id, ti.map_index`,
  );
}

/** The rendered fields of a page of task instances, in one statement. */
export async function listRenderedFields(
  db: Db,
  keys: readonly InstanceKey[],
): Promise<(InstanceKey & { fields: JsonObject })[]> {
  return send(
    db,
    sql`select f.dag_run_id as "dagRunId", f.task_id as "taskId", f.map_index as "mapIndex", f.fields
          from rendered_task_instance_fields f
         where (f.dag_run_id, f.task_id, f.map_index) in (select * from unnest(${keys.map((key) => key.dagRunId)}::bigint[],
                 ${keys.map((key) => key.taskId)}::text[], ${keys.map((key) => key.mapIndex)}::int[]))`,
  );
}
