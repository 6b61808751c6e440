import { prepareSchema, withDatabase } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export function migrateDatabase(terminal: Terminal): Promise<void> {
  return withDatabase(terminal, async (session) => {
    const applied = await prepareSchema(session);
    terminal.print(
      applied.length === 0 ? "The schema is up to date." : `Applied ${applied.length} migration(s): ${applied.join(", ")}.`,
    );
  });
}
