import { ensureDefaultPool } from "../../../main/dag-processor/sql-dag-file-store.ts";
import { resetSchema } from "../../../store/index.ts";
import { withDatabase } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export async function resetDatabase(terminal: Terminal, options: { yes: boolean }): Promise<void> {
  await terminal.confirm("This deletes all tables with all DAG runs, connections and variables. Continue?", options.yes);
  await withDatabase(terminal, async ({ store, logger, config }) => {
    await resetSchema(store, logger);
    await ensureDefaultPool(store, config.core.default_pool_task_slot_count);
  });
  terminal.print("The database is empty, and its schema is up to date.");
}
