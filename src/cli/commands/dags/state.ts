import { requireRun } from "../../find-things.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export function showState(terminal: Terminal, dagId: string, run: string): Promise<void> {
  return withStore(terminal, async (session) => {
    terminal.print((await requireRun(session, dagId, run)).state);
  });
}
