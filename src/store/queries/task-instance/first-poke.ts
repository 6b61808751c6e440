import type { Db } from "../../store.ts";

const statement = {
  name: "first-poke",
  text: `select case when reschedule_count > 0 then first_start_date end as "startDate" from task_instance where id = $1`,
};

/** When the try's first poke began; a `startDate` of null = it was never rescheduled. null = there is no such try. */
export async function findFirstPoke(db: Db, id: string): Promise<{ startDate: Date | null } | null> {
  return (await db.query<{ startDate: Date | null }>(statement, [id])).rows[0] ?? null;
}
