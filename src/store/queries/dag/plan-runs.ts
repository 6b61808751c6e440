import type { Db } from "../../store.ts";

export type PlannedRunRow = { logicalDate: Date; dataIntervalStart: Date; dataIntervalEnd: Date; runAfter: Date };
export type NewPlannedRun = PlannedRunRow & { manualIntervalStart: Date | null; manualIntervalEnd: Date | null };

const insert = `
insert into planned_run (dag_id, logical_date, data_interval_start, data_interval_end, run_after, manual_interval_start, manual_interval_end)
select $1, * from unnest($2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[])`;

const plan = `
insert into timetable_plan (dag_id, refresh_at, by_clock) values ($1, $2, $3)
on conflict (dag_id) do update set refresh_at = excluded.refresh_at, by_clock = excluded.by_clock`;

/** Replaces the planned runs of the DAG's custom timetable. Call after saveDag, whose lock excludes other writers. */
export async function savePlan(
  tx: Db,
  dagId: string,
  saved: { runs: readonly NewPlannedRun[]; refreshAt: Date; byClock: boolean },
): Promise<void> {
  const { runs } = saved;
  await tx.query("delete from planned_run where dag_id = $1", [dagId]);
  await tx.query(insert, [
    dagId,
    runs.map((run) => run.logicalDate),
    runs.map((run) => run.dataIntervalStart),
    runs.map((run) => run.dataIntervalEnd),
    runs.map((run) => run.runAfter),
    runs.map((run) => run.manualIntervalStart),
    runs.map((run) => run.manualIntervalEnd),
  ]);
  await tx.query(plan, [dagId, saved.refreshAt, saved.byClock]);
}

/** For a DAG that no longer has a custom timetable. */
export async function dropPlan(tx: Db, dagId: string): Promise<void> {
  await tx.query("delete from planned_run where dag_id = $1", [dagId]);
  await tx.query("delete from timetable_plan where dag_id = $1", [dagId]);
}

const columns = `logical_date as "logicalDate", data_interval_start as "dataIntervalStart", data_interval_end as "dataIntervalEnd", run_after as "runAfter"`;

/** $1 = DAG, $2 = logical date after which the list starts, null = all. */
const list = {
  name: "find-planned-runs",
  text: `select ${columns} from planned_run where dag_id = $1 and ($2::timestamptz is null or logical_date > $2) order by logical_date`,
};

/** Ascending; the whole plan, some thousand runs at most. */
export async function findPlannedRuns(db: Db, dagId: string, after: Date | null): Promise<PlannedRunRow[]> {
  return (await db.query<PlannedRunRow>(list, [dagId, after])).rows;
}

/** $1 = DAG, $2 = the moment. */
const dueBy = {
  name: "planned-run-due-by",
  text: `select data_interval_start as "dataIntervalStart", data_interval_end as "dataIntervalEnd",
           manual_interval_start as "manualIntervalStart", manual_interval_end as "manualIntervalEnd"
           from planned_run where dag_id = $1 and run_after <= $2 order by logical_date desc limit 1`,
};

/** The newest planned run that is due at a given moment, and the data interval of a run triggered manually then. */
export async function plannedRunDueBy(
  db: Db,
  dagId: string,
  moment: Date,
): Promise<Omit<NewPlannedRun, "logicalDate" | "runAfter"> | null> {
  return (await db.query<Omit<NewPlannedRun, "logicalDate" | "runAfter">>(dueBy, [dagId, moment])).rows[0] ?? null;
}

/** $1 = bundles. A DAG without a next run has used up its whole plan. */
const toPlan = `
select distinct d.bundle_name as "bundleName", d.filename as "relativePath" from timetable_plan p join dag d on d.dag_id = p.dag_id
 where d.bundle_name = any($1) and not d.is_stale
   and case when p.by_clock then now() else coalesce(d.next_dagrun_create_after, 'infinity') end >= p.refresh_at`;

export async function findFilesToPlan(
  db: Db,
  bundleNames: readonly string[],
): Promise<{ bundleName: string; relativePath: string }[]> {
  return (await db.query<{ bundleName: string; relativePath: string }>(toPlan, [bundleNames])).rows;
}

/** $1 = bundle, $2 = file. The last but one due run: planning from it returns the last one again. */
const passed = `
select d.dag_id as "dagId", p.* from timetable_plan t join dag d on d.dag_id = t.dag_id
  cross join lateral (select ${columns} from planned_run r where r.dag_id = d.dag_id and r.run_after <= now()
                       order by r.logical_date desc offset 1 limit 1) p
 where d.bundle_name = $1 and d.filename = $2`;

const lastRuns = `
select d.dag_id as "dagId", l.* from dag d
  cross join lateral (select ${columns} from dag_run r where r.dag_id = d.dag_id and r.run_type in ('scheduled', 'backfill')
                         and r.logical_date is not null order by r.logical_date desc limit 1) l
 where d.bundle_name = $1 and d.filename = $2 and d.timetable_type = 'custom'`;

export type PlanSeedRow = PlannedRunRow & { dagId: string };

/** Where the plans of a file's custom timetables start: the DAGs' newest automatic runs, and the planned runs in the past. */
export async function findPlanSeeds(
  db: Db,
  bundleName: string,
  relativePath: string,
): Promise<{ last: PlanSeedRow[]; passed: PlanSeedRow[] }> {
  const last = await db.query<PlanSeedRow>(lastRuns, [bundleName, relativePath]);
  const gone = await db.query<PlanSeedRow>(passed, [bundleName, relativePath]);
  return { last: last.rows, passed: gone.rows };
}
