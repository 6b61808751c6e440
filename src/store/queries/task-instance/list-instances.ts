import type { JsonObject, TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import {
  allOf,
  type Fragment,
  type Listed,
  matching,
  type Order,
  oneOf,
  orderOf,
  type Page,
  type Range,
  readPage,
  send,
  sql,
  startingWith,
  within,
} from "../compose.ts";
import type { RunDateRanges } from "../dag-run/list-runs.ts";
import { countInstancesOf, keysByRuns, ORDERABLE_OF_RUN, type RunOrderOfInstances } from "./page-by-runs.ts";

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
  /** Why it ended, where somebody other than its task ended it. */
  stopReason: string | null;
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
  ti.dag_version_id as "versionId", v.version_number as "versionNumber", v.created_at as "versionCreatedAt", d.bundle_name as "bundleName",
  ti.stop_reason as "stopReason"`;
export const TRY_JOINS = sql`left join dag d on d.dag_id = ti.dag_id left join dag_version v on v.id = ti.dag_version_id`;

const columns = sql`${TRY_COLUMNS}, ti.id, ti.note, ti.rendered_map_index as "renderedMapIndex", r.logical_date as "logicalDate", r.run_after as "runAfter",
  tg.id as "triggerId", tg.classpath as "triggerClasspath", tg.created_date as "triggerCreatedAt", tj.id as "triggererId",
  tj.state as "triggererState", tj.hostname as "triggererHostname", tj.start_date as "triggererStartedAt", tj.latest_heartbeat as "triggererHeartbeatAt"`;
const joins = sql`left join dag_run r on r.id = ti.dag_run_id ${TRY_JOINS}
  left join trigger tg on tg.id = ti.trigger_id left join job tj on tj.id = tg.triggerer_id`;
const from = sql`task_instance ti ${joins}`;
const alone = sql`task_instance ti`;
const withRun = sql`task_instance ti join dag_run r on r.id = ti.dag_run_id`;
const chosen = {
  key: sql`ti.dag_run_id, ti.task_id, ti.map_index`,
  counted: alone,
  shown: sql`cross join lateral (
    select * from task_instance t where t.dag_run_id = page.dag_run_id and t.task_id = page.task_id and t.map_index = page.map_index limit 1) ti ${joins}`,
};

/** What a whole run is chosen by. */
const patternableOfRun = { dag_id: sql`r.dag_id`, run_id: sql`r.run_id` };
const patternable = {
  task_display_name: sql`ti.task_id`,
  pool_name: sql`ti.pool`,
  queue_name: sql`ti.queue`,
  operator_name: sql`ti.operator`,
  rendered_map_index: sql`coalesce(ti.rendered_map_index, ti.map_index::text)`,
};
const RUN_PATTERN_KEYS = Object.keys(patternableOfRun) as (keyof typeof patternableOfRun)[];
const OWN_PATTERN_KEYS = Object.keys(patternable) as (keyof typeof patternable)[];
export type InstancePatternKey = keyof typeof patternableOfRun | keyof typeof patternable;
export const INSTANCE_PATTERN_KEYS: InstancePatternKey[] = [...RUN_PATTERN_KEYS, ...OWN_PATTERN_KEYS];

const orderable = {
  id: sql`ti.id`,
  ...ORDERABLE_OF_RUN,
  task_id: sql`ti.task_id`,
  state: sql`ti.state`,
  duration: sql`ti.duration`,
  start_date: sql`ti.start_date`,
  end_date: sql`ti.end_date`,
  map_index: sql`ti.map_index`,
  rendered_map_index: sql`coalesce(ti.rendered_map_index, ti.map_index::text)`,
  try_number: sql`ti.try_number`,
  pool: sql`ti.pool`,
  queue: sql`ti.queue`,
  operator: sql`ti.operator`,
};
export type InstanceOrderKey = keyof typeof orderable;
export const INSTANCE_ORDER_KEYS = Object.keys(orderable) as InstanceOrderKey[];

const tieBreak = [sql`ti.dag_run_id`, sql`ti.task_id`, sql`ti.map_index`];

/**
 * Where nothing but whole runs is asked for, runs know their totals, and in an order of runs also which of them hold the page. All else is chosen by
 * an index or sorted (ADR 0032).
 */
export async function listInstances(db: Db, filter: InstanceFilter, asked: Page<InstanceOrderKey>): Promise<Listed<InstanceRow>> {
  const page = asked.order.length > 0 ? asked : { ...asked, order: usualOrder(filter) };
  const ofRuns = runConditions(filter);
  const own = instanceConditions(filter);
  const byRuns = page.order.filter(isOfRun);
  if (own.length === 0 && byRuns.length === page.order.length) {
    const keys = keysByRuns(ofRuns, { ...page, order: byRuns });
    const order = orderOf(orderable, tieBreak, page);
    const [rows, total] = await Promise.all([
      send<InstanceRow>(db, sql`select ${columns} from (${keys}) page ${chosen.shown} order by ${order}`),
      countInstancesOf(db, ofRuns),
    ]);
    return { rows, total };
  }
  return readPage<InstanceRow, InstanceOrderKey>(db, {
    columns,
    from,
    where: [...narrowed(filter, ofRuns), ...own],
    page,
    orderable,
    tieBreak,
    chosen: { ...chosen, from: byRuns.length > 0 ? withRun : alone },
    total: own.length === 0 ? countInstancesOf(db, ofRuns) : isByKey(filter, own) ? countByKey(db, filter, own) : undefined,
  });
}

/** Of one run, and by what its primary key says: the count comes out of that index, 20 ms for the largest run there may be. */
function isByKey(filter: InstanceFilter, own: readonly Fragment[]): boolean {
  return filter.dagRunId !== undefined && own.length === keyConditions(filter).length;
}

async function countByKey(db: Db, filter: InstanceFilter, own: readonly Fragment[]): Promise<number> {
  const where = allOf([...narrowed(filter, []), ...own]);
  const rows = await send<{ total: number }>(db, sql`select count(*)::int as total from ${alone} where ${where}`);
  return rows[0]?.total ?? 0;
}

function keyConditions(filter: InstanceFilter): Fragment[] {
  const where = [...oneOf(sql`ti.task_id`, filter.taskIds), ...oneOf(sql`ti.map_index`, filter.mapIndexes)];
  if (filter.isExpanded) where.push(sql`ti.map_index >= 0`);
  return where;
}

/** Where no order is asked for: what happened within a time comes in the order of the index that finds it, all else by run and task. */
function usualOrder({ ranges }: InstanceFilter): Order<InstanceOrderKey>[] {
  const key = (["start_date", "end_date"] as const).find(
    (date) => ranges[date] !== undefined && Object.keys(ranges[date]).length > 0,
  );
  return key === undefined ? [] : [{ key, descending: false }];
}

function isOfRun(one: Order<string>): one is Order<RunOrderOfInstances> {
  return one.key in ORDERABLE_OF_RUN;
}

/** The runs' conditions, said of instances. A DAG alone is named as such: how many instances it has is in the planner's statistics. */
function narrowed(filter: InstanceFilter, ofRuns: readonly Fragment[]): Fragment[] {
  if (filter.dagRunId !== undefined) return [sql`ti.dag_run_id = ${filter.dagRunId}`];
  const dags = oneOf(sql`ti.dag_id`, filter.dagIds);
  if (ofRuns.length === dags.length) return dags;
  return [...dags, sql`ti.dag_run_id in (select r.id from dag_run r where ${allOf(ofRuns)})`];
}

function runConditions(filter: InstanceFilter): Fragment[] {
  const where = [
    ...oneOf(sql`r.dag_id`, filter.dagIds),
    ...oneOf(sql`r.run_id`, filter.runIds),
    ...within(sql`r.logical_date`, filter.ranges.logical_date),
    ...within(sql`r.run_after`, filter.ranges.run_after),
    ...RUN_PATTERN_KEYS.flatMap((key) => [
      ...matching(patternableOfRun[key], filter.patterns?.[key]),
      ...startingWith(patternableOfRun[key], filter.prefixes?.[key]),
    ]),
  ];
  if (filter.dagRunId !== undefined) where.push(sql`r.id = ${filter.dagRunId}`);
  return where;
}

function instanceConditions(filter: InstanceFilter): Fragment[] {
  const { ranges } = filter;
  return [
    ...keyConditions(filter),
    ...anyState(filter.states),
    ...oneOf(sql`ti.pool`, filter.pools),
    ...oneOf(sql`ti.queue`, filter.queues),
    ...oneOf(sql`ti.executor`, filter.executors),
    ...oneOf(sql`ti.operator`, filter.operators),
    ...oneOf(sql`ti.try_number`, filter.tryNumbers),
    ...ofVersions(filter.versionNumbers),
    ...within(sql`ti.start_date`, ranges.start_date),
    ...within(sql`ti.end_date`, ranges.end_date),
    ...within(sql`ti.updated_at`, ranges.updated_at),
    ...within(sql`ti.duration`, ranges.duration),
    ...OWN_PATTERN_KEYS.flatMap((key) => [
      ...matching(patternable[key], filter.patterns?.[key]),
      ...startingWith(patternable[key], filter.prefixes?.[key]),
    ]),
  ];
}

/** Each state by itself: the partial indexes of different states can be used together. */
function anyState(states: readonly string[] | undefined): Fragment[] {
  if (states === undefined || states.length === 0) return [];
  const each = [...new Set(states)].map((state) => (state === "none" ? sql`ti.state is null` : sql`ti.state = ${state}`));
  return [sql`(${sql.join(each, sql` or `)})`];
}

function ofVersions(numbers: readonly number[] | undefined): Fragment[] {
  const matches = oneOf(sql`w.version_number`, numbers);
  return matches.map((match) => sql`ti.dag_version_id in (select w.id from dag_version w where ${match})`);
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
