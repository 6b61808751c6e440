import type { Db } from "../../store.ts";

/** $1 ids, $2 reasons. A try that is retried goes on under another id; what became of the old one stands in the history. */
const statement = {
  name: "find-told-failures",
  text: `
select h.id from task_instance_history h
  join unnest($1::uuid[], $2::text[]) as told(id, reason) on told.id = h.id
 where h.state = 'failed' and h.reason is not distinct from told.reason`,
};

/** Of these tries and reasons, the ids of those that failed for that very reason and were put up for a retry. */
export async function findToldFailures(db: Db, failures: readonly { id: string; reason: string | null }[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(statement, [
    failures.map((failure) => failure.id),
    failures.map((failure) => failure.reason),
  ]);
  return new Set(rows.map((row) => row.id));
}
