import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** $1 id. The history has the end of a replaced try, but not of a rescheduled poke. */
const statement = {
  name: "find-try-state",
  text: `
select state from task_instance where id = $1
union all
select state from task_instance_history where id = $1
limit 1`,
};

/** null = no try has this id any more. */
export async function findTryState(db: Db, id: string): Promise<{ state: TaskInstanceState | null } | null> {
  return (await db.query<{ state: TaskInstanceState | null }>(statement, [id])).rows[0] ?? null;
}
