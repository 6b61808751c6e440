import { removePool } from "../../../scheduler/commands/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export async function deleteOne(terminal: Terminal, name: string): Promise<void> {
  await withStore(terminal, async ({ store, audit }) => {
    await removePool(store, name);
    await audit({ event: "cli_pools_delete", extra: { pool: name } });
  });
  terminal.print(`Pool ${name} is deleted.`);
}
