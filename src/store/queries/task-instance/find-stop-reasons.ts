import type { Db } from "../../store.ts";

/** $1 ids. A try that was cleared or that is retried is in the history; a retry's reason is what the try was failed for. */
const statement = {
  name: "find-stop-reasons",
  text: `
select id, stop_reason as reason from task_instance where id = any($1::uuid[]) and stop_reason is not null
union all
select id, coalesce(stop_reason, reason) from task_instance_history
 where id = any($1::uuid[]) and coalesce(stop_reason, reason) is not null`,
};

/** Why tries do not run any more, by their ids; those of which nobody said why are left out. */
export async function findStopReasons(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await db.query<{ id: string; reason: string }>(statement, [ids]);
  return new Map(rows.map(({ id, reason }) => [id, reason]));
}
