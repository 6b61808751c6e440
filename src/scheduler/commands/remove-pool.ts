import { BaramError } from "../../platform/index.ts";
import { deletePool, lockPool, poolUsers, type Store } from "../../store/index.ts";

const SHOWN_MAX = 5;

/**
 * Deletes a pool that is not in use; tasks of a deleted pool would wait for slots for ever. Throws `pool_protected` for the default
 * one, `pool_not_found`, and `pool_in_use` with the tasks that name it or have unfinished instances in it.
 */
export async function removePool(store: Store, pool: string): Promise<void> {
  if (pool === "default_pool")
    throw new BaramError("pool_protected", "default_pool cannot be deleted: tasks that name no pool run in it.", { pool });
  await store.transaction(async (tx) => {
    if (!(await lockPool(tx, pool))) throw new BaramError("pool_not_found", `There is no pool "${pool}" to delete.`, { pool });
    const users = (await poolUsers(tx, pool, SHOWN_MAX + 1)).map(({ dagId, taskId }) => `${dagId}.${taskId}`);
    if (users.length > 0) {
      const more = users.length > SHOWN_MAX ? " and more" : "";
      throw new BaramError(
        "pool_in_use",
        `Pool "${pool}" is used by ${users.slice(0, SHOWN_MAX).join(", ")}${more}. Give these tasks another pool, and let their runs end, first.`,
        { pool, users: users.slice(0, SHOWN_MAX) },
      );
    }
    await deletePool(tx, pool);
  });
}
