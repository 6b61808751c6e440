import type { Db } from "../../store.ts";

export type WorkerWishes = { addQueues: readonly string[]; removeQueues: readonly string[]; shutdown: boolean };

/** $1 names or null for all, $2 queues to add, $3 queues to remove, $4 whether it is to end. */
const statement = {
  name: "wish-worker",
  text: `
update worker w
   set wished_queues = case when $2::text[] = '{}' and $3::text[] = '{}' then w.wished_queues else array(
         select queue from unnest(coalesce(w.wished_queues, w.queues) || $2::text[]) with ordinality as listed(queue, place)
          where queue <> all($3::text[]) group by queue order by min(place)) end,
       wished_shutdown = w.wished_shutdown or $4
 where ($1::text[] is null or w.name = any($1)) and w.state <> 'offline'
returning w.name`,
};

/** Leaves wishes with workers that are not gone; returns their names. */
export async function wishWorkers(db: Db, names: readonly string[] | null, wishes: WorkerWishes): Promise<string[]> {
  const { addQueues, removeQueues, shutdown } = wishes;
  const { rows } = await db.query<{ name: string }>(statement, [names, addQueues, removeQueues, shutdown]);
  return rows.map(({ name }) => name);
}
