import { allConnections } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import { CONNECTION_COLUMNS, createConnectionRow, type ShowOptions } from "./connection-row.ts";

export type ListOptions = ShowOptions & { connId?: string };

export function listAll(terminal: Terminal, { showSecrets, connId, output }: ListOptions): Promise<void> {
  return withStore(terminal, async ({ store, cipher, audit }) => {
    const rowOf = createConnectionRow(showSecrets);
    const shown = (await allConnections(store, cipher())).filter((one) => connId === undefined || one.connId === connId);
    const rows = shown.map((one) => rowOf(one, "database"));
    // Before they are printed: what cannot be recorded is not shown.
    if (showSecrets) await audit({ event: "cli_connections_list", extra: { conn_ids: shown.map((one) => one.connId) } });
    terminal.print(formatRows(rows, CONNECTION_COLUMNS, output));
  });
}
