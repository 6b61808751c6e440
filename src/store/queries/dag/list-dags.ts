import type { Db } from "../../store.ts";
import { allOf, type Fragment, type Listed, matching, oneOf, type Page, readPage, send, sql, startingWith } from "../compose.ts";

export type DagRow = {
  dagId: string;
  displayName: string | null;
  description: string | null;
  bundleName: string;
  filename: string;
  tags: string[];
  owners: string[];
  isPaused: boolean;
  isStale: boolean;
  timetableSummary: string | null;
  timetableType: string;
  maxActiveRuns: number;
  maxActiveTasks: number;
  maxConsecutiveFailedDagRuns: number;
  versionId: string | null;
  nextDagrun: Date | null;
  nextDagrunDataIntervalStart: Date | null;
  nextDagrunDataIntervalEnd: Date | null;
  nextDagrunCreateAfter: Date | null;
  lastParsedTime: Date;
  hasImportErrors: boolean;
};

export type DagFilter = {
  dagId?: string;
  paused?: boolean;
  excludeStale?: boolean;
  tags?: readonly string[];
  tagsMatchAll?: boolean;
  owners?: readonly string[];
  dagIdPattern?: string;
  dagIdPrefix?: string;
  displayNamePattern?: string;
  displayNamePrefix?: string;
  bundleName?: string;
  hasImportErrors?: boolean;
  lastRunState?: string;
  anyRunState?: readonly string[];
  timetableTypes?: readonly string[];
};

const hasImportErrors = sql`exists (select 1 from import_error e where e.bundle_name = d.bundle_name and e.filename = d.filename)`;
const displayName = sql`coalesce(d.display_name, d.dag_id)`;
const lastRun = (column: Fragment) =>
  sql`(select ${column} from dag_run r where r.dag_id = d.dag_id order by r.run_after desc, r.id desc limit 1)`;

const orderable = {
  dag_id: sql`d.dag_id`,
  dag_display_name: displayName,
  next_dagrun: sql`d.next_dagrun`,
  last_run_state: lastRun(sql`r.state`),
  last_run_start_date: lastRun(sql`r.start_date`),
};
export type DagOrderKey = keyof typeof orderable;
export const DAG_ORDER_KEYS = Object.keys(orderable) as DagOrderKey[];

const columns = sql`d.dag_id as "dagId", d.display_name as "displayName", d.description, d.bundle_name as "bundleName", d.filename, d.tags, d.owners,
  d.is_paused as "isPaused", d.is_stale as "isStale", d.timetable_summary as "timetableSummary", d.timetable_type as "timetableType",
  d.max_active_runs as "maxActiveRuns", d.max_active_tasks as "maxActiveTasks",
  d.max_consecutive_failed_dag_runs as "maxConsecutiveFailedDagRuns", d.current_version_id as "versionId", d.next_dagrun as "nextDagrun",
  d.next_dagrun_data_interval_start as "nextDagrunDataIntervalStart", d.next_dagrun_data_interval_end as "nextDagrunDataIntervalEnd",
  d.next_dagrun_create_after as "nextDagrunCreateAfter", d.last_parsed_time as "lastParsedTime", ${hasImportErrors} as "hasImportErrors"`;

export function dagConditions(filter: DagFilter): Fragment[] {
  const where: Fragment[] = [
    ...matching(sql`d.dag_id`, filter.dagIdPattern),
    ...startingWith(sql`d.dag_id`, filter.dagIdPrefix),
    ...matching(displayName, filter.displayNamePattern),
    ...startingWith(displayName, filter.displayNamePrefix),
    ...oneOf(sql`d.timetable_type`, filter.timetableTypes),
  ];
  if (filter.dagId !== undefined) where.push(sql`d.dag_id = ${filter.dagId}`);
  if (filter.paused !== undefined) where.push(sql`d.is_paused = ${filter.paused}`);
  if (filter.excludeStale) where.push(sql`not d.is_stale`);
  if (filter.bundleName !== undefined) where.push(sql`d.bundle_name = ${filter.bundleName}`);
  if (filter.owners && filter.owners.length > 0) where.push(sql`d.owners && ${[...filter.owners]}::text[]`);
  if (filter.tags && filter.tags.length > 0) {
    const tags = [...filter.tags];
    where.push(filter.tagsMatchAll ? sql`d.tags @> ${tags}::text[]` : sql`d.tags && ${tags}::text[]`);
  }
  if (filter.hasImportErrors !== undefined) where.push(sql`${hasImportErrors} = ${filter.hasImportErrors}`);
  if (filter.lastRunState !== undefined) where.push(sql`${lastRun(sql`r.state`)} = ${filter.lastRunState}`);
  if (filter.anyRunState && filter.anyRunState.length > 0)
    where.push(
      sql`exists (select 1 from dag_run r where r.dag_id = d.dag_id and r.state = any(${[...filter.anyRunState]}::text[]))`,
    );
  return where;
}

export async function listDags(db: Db, filter: DagFilter, page: Page<DagOrderKey>): Promise<Listed<DagRow>> {
  return readPage<DagRow, DagOrderKey>(db, {
    columns,
    from: sql`dag d`,
    where: dagConditions(filter),
    page,
    orderable,
    tieBreak: [sql`d.dag_id`],
  });
}

export async function findDagRow(db: Db, dagId: string): Promise<DagRow | null> {
  return (await send<DagRow>(db, sql`select ${columns} from dag d where d.dag_id = ${dagId}`))[0] ?? null;
}

/** Pauses or unpauses; null filter fields match every DAG. Returns the ids of the DAGs that match the filter. */
export async function setPaused(db: Db, filter: DagFilter, isPaused: boolean): Promise<string[]> {
  const where = allOf(dagConditions(filter));
  // In id order, so that two such statements cannot deadlock.
  const rows = await send<{ dagId: string }>(
    db,
    sql`with meant as (select d.dag_id from dag d where ${where} order by d.dag_id for update)
        update dag set is_paused = ${isPaused} from meant where dag.dag_id = meant.dag_id returning dag.dag_id as "dagId"`,
  );
  if (!isPaused) await db.query("select pg_notify('baram_scheduler', 'dag')");
  return rows.map((row) => row.dagId);
}

export async function listTags(
  db: Db,
  filter: { pattern?: string; prefix?: string },
  page: Page<"name">,
): Promise<Listed<{ name: string }>> {
  return readPage(db, {
    columns: sql`t.name`,
    from: sql`(select distinct unnest(tags) as name from dag where not is_stale) t`,
    where: [...matching(sql`t.name`, filter.pattern), ...startingWith(sql`t.name`, filter.prefix)],
    page,
    orderable: { name: sql`t.name` },
    tieBreak: [],
  });
}
