import type { JobType } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import type { AsideFacts } from "../set-aside/keep-set-aside.ts";

export async function startJob(db: Db, job: { type: JobType; hostname: string; pid: number }): Promise<number> {
  const { rows } = await db.query<{ id: number }>("insert into job (job_type, hostname, pid) values ($1, $2, $3) returning id", [
    job.type,
    job.hostname,
    job.pid,
  ]);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error("insert into job returned no row");
  return id;
}

/** false = another scheduler declared this job dead and adopted its tasks: the caller must stop using this job id. */
export async function beatJob(db: Db, id: number): Promise<boolean> {
  const { rowCount } = await db.query(
    { name: "beat-job", text: "update job set latest_heartbeat = now() where id = $1 and state = 'running'" },
    [id],
  );
  return rowCount === 1;
}

/** $1 id, $2 for how many seconds its passes have been failing (null = they are not), $3 why. */
const beatOfScheduler = {
  name: "beat-scheduler",
  text: `
update job
   set latest_heartbeat = now(), failing_since = now() - make_interval(secs => $2), failure = $3
 where id = $1 and state = 'running'
returning (select count(*) from set_aside)::int as count,
          (select extract(epoch from min(try_at) - now()) from set_aside)::float8 as "tryInSec"`,
};

/**
 * As `beatJob`, for a scheduler: reports whether its passes fail, and returns how many things are set aside. null = it was declared
 * dead.
 */
export async function beatScheduler(
  db: Db,
  id: number,
  failing: { forSec: number; reason: string } | null,
): Promise<AsideFacts | null> {
  return (await db.query<AsideFacts>(beatOfScheduler, [id, failing?.forSec ?? null, failing?.reason ?? null])).rows[0] ?? null;
}

export async function endJob(db: Db, id: number): Promise<void> {
  await db.query("update job set state = 'success', end_date = now() where id = $1 and state = 'running'", [id]);
}

/** Declares the jobs of this type dead that were silent for `silentForSec`, by the database's clock; returns how many. */
export async function buryJobs(db: Db, type: JobType, silentForSec: number): Promise<number> {
  const { rowCount } = await db.query(
    {
      name: "bury-jobs",
      text: "update job set state = 'failed', end_date = now() where job_type = $1 and state = 'running' and latest_heartbeat < now() - make_interval(secs => $2)",
    },
    [type, silentForSec],
  );
  return rowCount;
}

export type JobRow = {
  id: number;
  job_type: JobType;
  state: string;
  start_date: Date;
  latest_heartbeat: Date;
  silent_for_sec: number;
  /** Since when its work has been failing, and why; null if it is not. */
  failing_for_sec: number | null;
  failure: string | null;
  /** How many things all schedulers have set aside. */
  set_aside: number;
};

/** Every running job, and of each type the one heard of last, for health answers. */
export async function latestJobs(db: Db): Promise<JobRow[]> {
  const { rows } = await db.query<JobRow>({
    name: "latest-jobs",
    text: `with latest as (select distinct on (job_type) id from job order by job_type, latest_heartbeat desc)
           select id, job_type, state, start_date, latest_heartbeat,
                  extract(epoch from now() - latest_heartbeat)::float8 as silent_for_sec,
                  extract(epoch from now() - failing_since)::float8 as failing_for_sec, failure,
                  (select count(*) from set_aside)::int as set_aside
             from job where state = 'running' or id in (select id from latest) order by id`,
  });
  return rows;
}
