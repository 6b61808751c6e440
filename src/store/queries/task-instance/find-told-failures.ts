import type { Db } from "../../store.ts";

/** $1 ids, $2 reasons. A retried try gets a new id; the history has the end of the old one. */
const statement = {
  name: "find-told-failures",
  text: `
select h.id from task_instance_history h
  join unnest($1::uuid[], $2::text[]) as told(id, reason) on told.id = h.id
 where h.state = 'failed' and h.reason is not distinct from told.reason`,
};

/** The ids of those tries that failed for the given reason and were retried. */
export async function findToldFailures(db: Db, failures: readonly { id: string; reason: string | null }[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(statement, [
    failures.map((failure) => failure.id),
    failures.map((failure) => failure.reason),
  ]);
  return new Set(rows.map((row) => row.id));
}
