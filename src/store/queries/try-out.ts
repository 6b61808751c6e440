import type { Db } from "../store.ts";

/** Runs `work` inside the transaction and takes back all it wrote: what a dry run names is then exactly what the real one does. */
export async function tryOut<T>(tx: Db, work: () => Promise<T>): Promise<T> {
  await tx.query("savepoint try_out");
  const result = await work();
  await tx.query("rollback to savepoint try_out");
  return result;
}
