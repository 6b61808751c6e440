import type { JobType } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type AliveJob = { id: number; jobType: JobType; hostname: string; pid: number; latestHeartbeat: Date };

/** $1 type or null, $2 hostname or null, $3 seconds, $4 limit or null. */
const statement = {
  name: "alive-jobs",
  text: `
select id, job_type as "jobType", hostname, pid, latest_heartbeat as "latestHeartbeat"
  from job
 where state = 'running' and latest_heartbeat >= now() - make_interval(secs => $3)
   and ($1::text is null or job_type = $1) and ($2::text is null or hostname = $2)
 order by latest_heartbeat desc, id desc limit $4`,
};

/** Running jobs that gave a sign of life in the last `silentForSec`, by the database's clock; the freshest first. */
export async function aliveJobs(
  db: Db,
  query: { type: JobType | null; hostname: string | null; silentForSec: number; limit: number | null },
): Promise<AliveJob[]> {
  return (await db.query<AliveJob>(statement, [query.type, query.hostname, query.silentForSec, query.limit])).rows;
}
