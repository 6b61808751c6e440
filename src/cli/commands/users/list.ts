import { allUsers } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export function listAll(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    const rows = (await allUsers(store)).map(({ username, role, createdAt }) => ({ username, role, created_at: createdAt }));
    terminal.print(formatRows(rows, ["username", "role", "created_at"], output));
  });
}
