import { deleteConnection } from "../../../store/index.ts";
import { notFound } from "../../errors.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

export async function deleteOne(terminal: Terminal, connId: string): Promise<void> {
  await withStore(terminal, async ({ store, audit }) => {
    if (!(await deleteConnection(store, connId)))
      throw notFound("connection", `There is no connection ${shown(connId)} to delete.`);
    await audit({ event: "cli_connections_delete", extra: { conn_id: connId } });
  });
  terminal.print(`Connection ${connId} is deleted.`);
}
