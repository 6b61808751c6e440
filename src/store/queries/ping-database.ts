import type { Db } from "../store.ts";

/** Throws if the database does not answer. */
export async function pingDatabase(db: Db): Promise<void> {
  await db.query("select 1");
}
