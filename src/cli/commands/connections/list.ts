import { allConnections } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { CONNECTION_COLUMNS, connectionRow, type ShowOptions } from "./connection-row.ts";

export function listAll(terminal: Terminal, { showSecrets, output }: ShowOptions): Promise<void> {
  return withStore(terminal, async ({ store, cipher }) => {
    const rows = (await allConnections(store, cipher())).map((one) => connectionRow(one, "database", showSecrets));
    terminal.print(formatRows(rows, CONNECTION_COLUMNS, output));
  });
}
