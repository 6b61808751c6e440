import type { Db } from "../../store.ts";

/** $1 ids. Cleared and retried tries are in the history. For a retried try, the reason is that of its failure. */
const statement = {
  name: "find-stop-reasons",
  text: `
select id, stop_reason as reason from task_instance where id = any($1::uuid[]) and stop_reason is not null
union all
select id, coalesce(stop_reason, reason) from task_instance_history
 where id = any($1::uuid[]) and coalesce(stop_reason, reason) is not null`,
};

/** Why tries are not running any more, by their ids. Tries without a stored reason are left out. */
export async function findStopReasons(db: Db, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await db.query<{ id: string; reason: string }>(statement, [ids]);
  return new Map(rows.map(({ id, reason }) => [id, reason]));
}
