import type { Db } from "../store.ts";

/** Runs `work` inside the transaction and rolls back what it wrote, so that a dry run reports exactly what the real one does. */
export async function tryOut<T>(tx: Db, work: () => Promise<T>): Promise<T> {
  await tx.query("savepoint try_out");
  const result = await work();
  await tx.query("rollback to savepoint try_out");
  return result;
}

/** Runs `work` so that a statement of it that fails leaves the transaction usable, and nothing of `work` behind. */
export async function inSavepoint<T>(tx: Db, work: () => Promise<T>): Promise<T> {
  await tx.query("savepoint part");
  try {
    const result = await work();
    await tx.query("release savepoint part");
    return result;
  } catch (error) {
    // On a lost connection this fails too; the first error is the one to report.
    await tx.query("rollback to savepoint part").catch(() => {});
    throw error;
  }
}
