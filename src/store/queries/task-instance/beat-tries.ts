import type { Db } from "../../store.ts";

/** $1 ids. Touches no indexed column, so that PostgreSQL can do it in place (HOT). Locked in id order, as everywhere. */
const statement = {
  name: "beat-tries",
  text: `
with held as materialized (
  select id from task_instance where id = any($1::uuid[]) and state = 'running' order by id for no key update
)
update task_instance ti set last_heartbeat_at = now() from held where ti.id = held.id returning ti.id`,
};

/** Returns the ids that still run; a supervisor must stop the others. */
export async function beatTries(db: Db, ids: readonly string[]): Promise<string[]> {
  return (await db.query<{ id: string }>(statement, [ids])).rows.map((row) => row.id);
}
