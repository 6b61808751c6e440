import type { Db } from "../../store.ts";

export type WorkerChanges = { addQueues: readonly string[]; removeQueues: readonly string[]; shutdown: boolean };

/** $1 names or null for all, $2 queues to add, $3 queues to remove, $4 whether it is to end. */
const statement = {
  name: "request-worker-changes",
  text: `
update worker w
   set wished_queues = case when $2::text[] = '{}' and $3::text[] = '{}' then w.wished_queues else array(
         select queue from unnest(coalesce(w.wished_queues, w.queues) || $2::text[]) with ordinality as listed(queue, place)
          where queue <> all($3::text[]) group by queue order by min(place)) end,
       wished_shutdown = w.wished_shutdown or $4
 where ($1::text[] is null or w.name = any($1)) and w.state <> 'offline'
returning w.name`,
};

/** Stores requested changes for workers that are not offline; they take them with their next heartbeat. Returns the workers' names. */
export async function requestWorkerChanges(db: Db, names: readonly string[] | null, changes: WorkerChanges): Promise<string[]> {
  const { addQueues, removeQueues, shutdown } = changes;
  const { rows } = await db.query<{ name: string }>(statement, [names, addQueues, removeQueues, shutdown]);
  return rows.map(({ name }) => name);
}
