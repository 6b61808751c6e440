import { prepareSchema, type Session, withDatabase } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export function migrateDatabase(terminal: Terminal): Promise<void> {
  const work = async (session: Session) => {
    const applied = await prepareSchema(session);
    terminal.print(
      applied.length === 0 ? "The schema is up to date." : `Applied ${applied.length} migration(s): ${applied.join(", ")}.`,
    );
  };
  return withDatabase(terminal, work, { make: true });
}
