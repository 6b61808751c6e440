import type { DagRunState, DagRunType, JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import {
  type Fragment,
  type Listed,
  matching,
  oneOf,
  type Page,
  type Range,
  readPage,
  send,
  sql,
  startingWith,
  within,
} from "../compose.ts";

export type RunRow = {
  id: number;
  dagId: string;
  dagDisplayName: string;
  runId: string;
  runType: DagRunType;
  state: DagRunState;
  logicalDate: Date | null;
  dataIntervalStart: Date | null;
  dataIntervalEnd: Date | null;
  runAfter: Date;
  queuedAt: Date | null;
  startDate: Date | null;
  endDate: Date | null;
  duration: number | null;
  lastSchedulingDecision: Date | null;
  triggeredBy: string | null;
  triggeringUserName: string | null;
  conf: JsonObject;
  note: string | null;
  versionId: string | null;
  versionNumber: number | null;
  versionCreatedAt: Date | null;
  bundleName: string | null;
};

/** Ranges by the column's name in the API. */
export type RunDateRanges = Partial<
  Record<"logical_date" | "run_after" | "start_date" | "end_date" | "updated_at", Range<Date>>
> & {
  duration?: Range<number>;
};

export type RunFilter = {
  dagIds?: readonly string[];
  states?: readonly string[];
  runTypes?: readonly string[];
  runIdPattern?: string;
  runIdPrefix?: string;
  dagIdPattern?: string;
  dagIdPrefix?: string;
  userPattern?: string;
  userPrefix?: string;
  versionNumbers?: readonly number[];
  confContains?: string;
  ranges: RunDateRanges;
};

const duration = sql`extract(epoch from r.end_date - r.start_date)::float8`;
const columns = sql`r.id, r.dag_id as "dagId", coalesce(d.display_name, r.dag_id) as "dagDisplayName", r.run_id as "runId", r.run_type as "runType", r.state,
  r.logical_date as "logicalDate", r.data_interval_start as "dataIntervalStart", r.data_interval_end as "dataIntervalEnd",
  r.run_after as "runAfter", r.queued_at as "queuedAt", r.start_date as "startDate", r.end_date as "endDate", ${duration} as duration,
  r.last_scheduling_decision as "lastSchedulingDecision", r.triggered_by as "triggeredBy", r.triggering_user_name as "triggeringUserName",
  r.conf, r.note, v.id as "versionId", v.version_number as "versionNumber", v.created_at as "versionCreatedAt", d.bundle_name as "bundleName"`;
const from = sql`dag_run r left join dag d on d.dag_id = r.dag_id left join dag_version v on v.id = r.created_dag_version_id`;

const orderable = {
  id: sql`r.id`,
  state: sql`r.state`,
  dag_id: sql`r.dag_id`,
  dag_run_id: sql`r.run_id`,
  run_id: sql`r.run_id`,
  run_type: sql`r.run_type`,
  logical_date: sql`r.logical_date`,
  run_after: sql`r.run_after`,
  start_date: sql`r.start_date`,
  end_date: sql`r.end_date`,
  updated_at: sql`r.updated_at`,
  conf: sql`r.conf::text`,
  duration,
};
export type RunOrderKey = keyof typeof orderable;
export const RUN_ORDER_KEYS = Object.keys(orderable) as RunOrderKey[];

export function runRangeConditions(ranges: RunDateRanges): Fragment[] {
  return [
    ...within(sql`r.logical_date`, ranges.logical_date),
    ...within(sql`r.run_after`, ranges.run_after),
    ...within(sql`r.start_date`, ranges.start_date),
    ...within(sql`r.end_date`, ranges.end_date),
    ...within(sql`r.updated_at`, ranges.updated_at),
    ...within(duration, ranges.duration),
  ];
}

export async function listRuns(db: Db, filter: RunFilter, page: Page<RunOrderKey>): Promise<Listed<RunRow>> {
  const where = [
    ...oneOf(sql`r.dag_id`, filter.dagIds),
    ...oneOf(sql`r.state`, filter.states),
    ...oneOf(sql`r.run_type`, filter.runTypes),
    ...matching(sql`r.run_id`, filter.runIdPattern),
    ...startingWith(sql`r.run_id`, filter.runIdPrefix),
    ...matching(sql`r.dag_id`, filter.dagIdPattern),
    ...startingWith(sql`r.dag_id`, filter.dagIdPrefix),
    ...matching(sql`r.triggering_user_name`, filter.userPattern),
    ...startingWith(sql`r.triggering_user_name`, filter.userPrefix),
    ...oneOf(sql`v.version_number`, filter.versionNumbers),
    ...runRangeConditions(filter.ranges),
  ];
  if (filter.confContains !== undefined) where.push(sql`strpos(r.conf::text, ${filter.confContains}) > 0`);
  return readPage<RunRow, RunOrderKey>(db, { columns, from, where, page, orderable, tieBreak: [sql`r.id`] });
}

export async function findRunRow(db: Db, dagId: string, runId: string): Promise<RunRow | null> {
  const rows = await send<RunRow>(db, sql`select ${columns} from ${from} where r.dag_id = ${dagId} and r.run_id = ${runId}`);
  return rows[0] ?? null;
}

/** Runs of one DAG by state, and how many are unfinished. */
export async function countRunsByState(
  db: Db,
  dagIds: readonly string[],
): Promise<{ dagId: string; state: DagRunState; count: number }[]> {
  return send(
    db,
    sql`select dag_id as "dagId", state, count(*)::int as count from dag_run where dag_id = any(${[...dagIds]}::text[]) group by dag_id, state`,
  );
}
