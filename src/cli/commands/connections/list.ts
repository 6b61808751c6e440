import { allConnections } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { CONNECTION_COLUMNS, createConnectionRow, type ShowOptions } from "./connection-row.ts";

export function listAll(terminal: Terminal, { showSecrets, output }: ShowOptions): Promise<void> {
  return withStore(terminal, async ({ store, cipher }) => {
    const rowOf = createConnectionRow(showSecrets);
    const rows = (await allConnections(store, cipher())).map((one) => rowOf(one, "database"));
    terminal.print(formatRows(rows, CONNECTION_COLUMNS, output));
  });
}
