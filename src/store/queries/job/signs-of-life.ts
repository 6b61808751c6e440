import type { Db } from "../../store.ts";

/** What shows whether heartbeats of tries could arrive, by the database's clock. */
export type SignsOfLife = {
  /** How long the database server has been up. */
  serverUpSec: number;
  /** API servers that are known, dead ones among them. */
  apiServers: number;
  /** How long the API server has been up that is alive and was started first; null = none is alive. */
  apiUpSec: number | null;
  /** Hosts with running tries, and how long ago one of these tries was heard of; null = none is running. */
  hosts: number;
  heardSecAgo: number | null;
};

/** $1 = seconds without a heartbeat after which an API server counts as dead. */
const statement = {
  name: "signs-of-life",
  text: `
select extract(epoch from now() - pg_postmaster_start_time())::float8 as "serverUpSec", api.*, tries.*
  from (select count(*)::int as "apiServers",
               extract(epoch from now() - min(start_date) filter (where state = 'running' and latest_heartbeat > now() - make_interval(secs => $1)))::float8 as "apiUpSec"
          from job where job_type = 'ApiServerJob') api,
       (select count(distinct hostname)::int as hosts, extract(epoch from now() - max(last_heartbeat_at))::float8 as "heardSecAgo"
          from task_instance where state in ('running', 'restarting')) tries`,
};

export async function signsOfLife(db: Db, apiSilentSec: number): Promise<SignsOfLife> {
  const [row] = (await db.query<SignsOfLife>(statement, [apiSilentSec])).rows;
  if (row === undefined) throw new Error("signs-of-life returned no row");
  return row;
}
