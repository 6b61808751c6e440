import { checkMigrated } from "../../../store/index.ts";
import { withDatabase } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export function checkDatabase(terminal: Terminal): Promise<void> {
  return withDatabase(terminal, async ({ store }) => {
    await checkMigrated(store);
    terminal.print("The database can be reached, and its schema is up to date.");
  });
}
