import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import {
  allOf,
  countAll,
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
import { INSTANCE_SHOWN, type OwnOfInstance, type OwnOfTry, TRY_SHOWN } from "./columns.ts";
import { countInstancesOf, keysByRun, ORDERABLE_OF_RUN, type RunOrderOfInstances } from "./instances-by-run.ts";

/** One try of a task instance, the current or an earlier one. */
export type TryRow = OwnOfTry & {
  dagDisplayName: string;
  versionNumber: number | null;
  versionCreatedAt: Date | null;
  bundleName: string | null;
};
export type InstanceRow = TryRow &
  OwnOfInstance & {
    logicalDate: Date | null;
    runAfter: Date;
    /** The trigger that a deferred instance waits for, and the triggerer that runs it. */
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
export const TRY_COLUMNS = sql`${sql.raw(TRY_SHOWN)}, coalesce(d.display_name, ti.dag_id) as "dagDisplayName",
  v.version_number as "versionNumber", v.created_at as "versionCreatedAt", d.bundle_name as "bundleName"`;
export const TRY_JOINS = sql`left join dag d on d.dag_id = ti.dag_id left join dag_version v on v.id = ti.dag_version_id`;

const columns = sql`${TRY_COLUMNS}, ${sql.raw(INSTANCE_SHOWN)}, r.logical_date as "logicalDate", r.run_after as "runAfter",
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

/** Conditions that choose whole runs. */
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
 * If the filter chooses whole runs only, the runs' instance counts give the total and, in an order of runs, also the runs that hold
 * the page. Everything else is read from an index or sorted (ADR 0032).
 */
export async function listInstances(db: Db, filter: InstanceFilter, asked: Page<InstanceOrderKey>): Promise<Listed<InstanceRow>> {
  const page = asked.order.length > 0 ? asked : { ...asked, order: usualOrder(filter) };
  const ofRuns = runConditions(filter);
  const own = instanceConditions(filter);
  const byRuns = page.order.filter(isOfRun);
  if (own.length === 0 && byRuns.length === page.order.length) {
    const keys = keysByRun(ofRuns, { ...page, order: byRuns });
    const order = orderOf(orderable, tieBreak, page);
    const [rows, total] = await Promise.all([
      send<InstanceRow>(db, sql`select ${columns} from (${keys}) page ${chosen.shown} order by ${order}`),
      countInstancesOf(db, ofRuns),
    ]);
    return { rows, total };
  }
  const where = [...narrowed(filter, ofRuns), ...own];
  const total = own.length === 0 ? countInstancesOf(db, ofRuns) : isByKey(filter, own) ? countByKey(db, filter, own) : undefined;
  const [date, ...further] = page.order;
  if (further.length === 0 && (date?.key === "start_date" || date?.key === "end_date")) {
    const [rows, known] = await Promise.all([pageByDate(db, where, page, date), total]);
    return { rows, total: known ?? (await countAll(db, alone, allOf(where), page, rows.length)) };
  }
  return readPage<InstanceRow, InstanceOrderKey>(db, {
    columns,
    from,
    where,
    page,
    orderable,
    tieBreak,
    chosen: { ...chosen, from: byRuns.length > 0 ? withRun : alone },
    total,
  });
}

/**
 * First the instances that have the date, by its index, which holds no others: so a try writes that index once or twice, and not with each
 * state change. Then, if these do not fill the page, the instances without the date.
 */
async function pageByDate(
  db: Db,
  where: readonly Fragment[],
  page: Page<InstanceOrderKey>,
  date: Order<InstanceOrderKey>,
): Promise<InstanceRow[]> {
  const column = orderable[date.key];
  const dated = allOf([...where, sql`${column} is not null`]);
  const order = orderOf(orderable, tieBreak, page);
  const show = (condition: Fragment, limit: number, offset: number) => {
    const keys = sql`select ${chosen.key} from ${alone} where ${condition} order by ${order} limit ${limit} offset ${offset}`;
    return send<InstanceRow>(db, sql`select ${columns} from (${keys}) page ${chosen.shown} order by ${order}`);
  };
  const rows = await show(dated, page.limit, page.offset);
  if (rows.length === page.limit) return rows;
  const before = rows.length > 0 || page.offset === 0 ? page.offset : await countExactly(db, dated);
  const undated = allOf([...where, sql`${column} is null`]);
  return [...rows, ...(await show(undated, page.limit - rows.length, Math.max(page.offset - before, 0)))];
}

/** One run, and conditions on its primary key only: the count is read from that index, 20 ms for the largest allowed run. */
function isByKey(filter: InstanceFilter, own: readonly Fragment[]): boolean {
  return filter.dagRunId !== undefined && own.length === keyConditions(filter).length;
}

async function countByKey(db: Db, filter: InstanceFilter, own: readonly Fragment[]): Promise<number> {
  return countExactly(db, allOf([...narrowed(filter, []), ...own]));
}

async function countExactly(db: Db, where: Fragment): Promise<number> {
  const rows = await send<{ total: number }>(db, sql`select count(*)::int as total from ${alone} where ${where}`);
  return rows[0]?.total ?? 0;
}

function keyConditions(filter: InstanceFilter): Fragment[] {
  const where = [...oneOf(sql`ti.task_id`, filter.taskIds), ...oneOf(sql`ti.map_index`, filter.mapIndexes)];
  if (filter.isExpanded) where.push(sql`ti.map_index >= 0`);
  return where;
}

/** Default order: with a range of dates, that of the index that finds them; else by run and task. */
function usualOrder({ ranges }: InstanceFilter): Order<InstanceOrderKey>[] {
  const key = (["start_date", "end_date"] as const).find(
    (date) => ranges[date] !== undefined && Object.keys(ranges[date]).length > 0,
  );
  return key === undefined ? [] : [{ key, descending: false }];
}

function isOfRun(one: Order<string>): one is Order<RunOrderOfInstances> {
  return one.key in ORDERABLE_OF_RUN;
}

/**
 * The runs' conditions, as conditions on instances. A DAG alone is compared directly: the planner's statistics have its number of
 * instances.
 */
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

/** One condition per state, so that the partial indexes of several states can be combined. */
function anyState(states: readonly string[] | undefined): Fragment[] {
  if (states === undefined || states.length === 0) return [];
  const each = [...new Set(states)].map((state) => (state === "none" ? sql`ti.state is null` : sql`ti.state = ${state}`));
  return [sql`(${sql.join(each, sql` or `)})`];
}

/** By the DAGs that have such a version first: few have many, and instances have an index by DAG. */
function ofVersions(numbers: readonly number[] | undefined): Fragment[] {
  const matches = oneOf(sql`w.version_number`, numbers);
  return matches.flatMap((match) => [
    sql`ti.dag_id in (select w.dag_id from dag_version w where ${match})`,
    sql`ti.dag_version_id in (select w.id from dag_version w where ${match})`,
  ]);
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
export async function findRenderedFields(
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
