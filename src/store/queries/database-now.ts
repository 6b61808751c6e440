import type { Db } from "../store.ts";

const statement = { name: "database-now", text: "select now() as now" };

/** The time by the database's clock, the one that all roles share: their own clocks may be wrong, and differ. */
export async function databaseNow(db: Db): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>(statement);
  const [row] = rows;
  if (!row) throw new Error("select now() returned no row");
  return row.now;
}
