import type { WorkerReport } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/**
 * $1 name, $2 instance, $3 hostname, $4 pid, $5 version, $6 queues, $7 concurrency, $8 active, $9 state, $10 the instance it
 * takes over from or null, $11 seconds of silence after which a name is free. No row = the name is another living worker's.
 */
const beat = {
  name: "beat-worker",
  text: `
insert into worker as w (name, instance, hostname, pid, version, queues, concurrency, active, state)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (name) do update
   set instance = $2, hostname = $3, pid = $4, version = $5, queues = $6, concurrency = $7, active = $8, state = $9,
       last_heartbeat = now(),
       first_online = case when w.instance = $2 then w.first_online else now() end,
       wished_queues = case when w.instance = $2 then w.wished_queues end,
       wished_shutdown = w.instance = $2 and w.wished_shutdown
 where w.instance = $2 or w.state = 'offline' or w.instance = $10::uuid
    or w.last_heartbeat < now() - make_interval(secs => $11)
returning wished_queues as "queues", wished_shutdown as "shutdown"`,
};

/** $1 name. */
const holder = {
  name: "worker-of-name",
  text: `select instance, hostname, pid, extract(epoch from now() - last_heartbeat)::float8 as "silentForSec" from worker where name = $1`,
};

export type WorkerHolder = { instance: string; hostname: string; pid: number; silentForSec: number };

/** Updates the worker's row and returns the changes that users requested, or who holds the name. */
export async function beatWorker(
  db: Db,
  name: string,
  report: WorkerReport,
  lostAfterSec: number,
): Promise<{ requested: { queues: string[] | null; shutdown: boolean } | null; holder: WorkerHolder | null }> {
  const { instance, hostname, pid, version, queues, concurrency, active, state, takesOver } = report;
  const { rows } = await db.query<{ queues: string[] | null; shutdown: boolean }>(beat, [
    name,
    instance,
    hostname,
    pid,
    version,
    queues,
    concurrency,
    active,
    state,
    takesOver,
    lostAfterSec,
  ]);
  if (rows[0]) return { requested: rows[0], holder: null };
  return { requested: null, holder: (await db.query<WorkerHolder>(holder, [name])).rows[0] ?? null };
}
