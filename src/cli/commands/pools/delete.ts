import { BaramError } from "../../../platform/index.ts";
import { deletePool, poolUsers } from "../../../store/index.ts";
import { notFound } from "../../errors.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

const SHOWN_MAX = 5;

/** Refuses a pool in use: its tasks would wait for ever for slots that nobody can give. */
export async function deleteOne(terminal: Terminal, name: string): Promise<void> {
  if (name === "default_pool")
    throw new BaramError("pool_protected", "default_pool cannot be deleted: tasks that name no pool run in it.", { pool: name });
  await withStore(terminal, async ({ store, audit }) => {
    const users = await poolUsers(store, name, SHOWN_MAX + 1);
    if (users.length > 0) {
      const names = users.slice(0, SHOWN_MAX).map((user) => `${user.dagId}.${user.taskId}`);
      const more = users.length > SHOWN_MAX ? " and more" : "";
      throw new BaramError(
        "pool_in_use",
        `Pool "${name}" is used by ${names.join(", ")}${more}. Give these tasks another pool, and let their runs end, first.`,
        { pool: name, users: names },
      );
    }
    if (!(await deletePool(store, name))) throw notFound("pool", `There is no pool "${name}" to delete.`);
    await audit({ event: "cli_pools_delete", extra: { pool: name } });
  });
  terminal.print(`Pool ${name} is deleted.`);
}
