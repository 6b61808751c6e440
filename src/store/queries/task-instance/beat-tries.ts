import type { Db } from "../../store.ts";

/** $1 ids. Touches no indexed column, so that PostgreSQL can do it in place (HOT). */
const statement = {
  name: "beat-tries",
  text: `update task_instance set last_heartbeat_at = now() where id = any($1::uuid[]) and state = 'running' returning id`,
};

/** Returns the ids that still run; a supervisor must stop the others. */
export async function beatTries(db: Db, ids: readonly string[]): Promise<string[]> {
  return (await db.query<{ id: string }>(statement, [ids])).rows.map((row) => row.id);
}
