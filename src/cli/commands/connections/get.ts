import { environmentSecrets } from "../../../config/index.ts";
import { findConnection } from "../../../store/index.ts";
import { notFound } from "../../errors.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";
import { createConnectionRow, type ShowOptions } from "./connection-row.ts";

/** Searches as a task does: in the environment first, then in the database. */
export async function getOne(terminal: Terminal, connId: string, { showSecrets, output }: ShowOptions): Promise<void> {
  const fromEnvironment = environmentSecrets().connection(connId);
  const found =
    fromEnvironment ??
    (await withStore(terminal, async ({ store, cipher, audit }) => {
      const stored = await findConnection(store, cipher(), connId);
      // Before they are printed: what cannot be recorded is not shown.
      if (stored && showSecrets) await audit({ event: "cli_connections_get", extra: { conn_id: connId } });
      return stored;
    }));
  if (!found) throw notFound("connection", `There is no connection ${shown(connId)}. Add it with "baram connections add".`);
  terminal.print(formatRecord(createConnectionRow(showSecrets)(found, fromEnvironment ? "environment" : "database"), output));
}
