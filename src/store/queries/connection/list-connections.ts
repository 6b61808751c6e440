import type { Connection } from "../../../contracts/index.ts";
import type { Cipher } from "../../cipher.ts";
import type { Db } from "../../store.ts";
import { type Listed, matching, type Page, readPage, sql, startingWith } from "../compose.ts";
import { type ConnectionRow, connectionValues, readConnection } from "./keep-connections.ts";

const orderable = {
  connection_id: sql`c.conn_id`,
  conn_id: sql`c.conn_id`,
  conn_type: sql`c.conn_type`,
  description: sql`c.description`,
  host: sql`c.host`,
  port: sql`c.port`,
  id: sql`c.conn_id`,
};
export type ConnectionOrderKey = keyof typeof orderable;
export const CONNECTION_ORDER_KEYS = Object.keys(orderable) as ConnectionOrderKey[];

export async function listConnections(
  db: Db,
  cipher: Cipher,
  filter: { pattern?: string; prefix?: string },
  page: Page<ConnectionOrderKey>,
): Promise<Listed<Connection>> {
  const { rows, total } = await readPage<ConnectionRow, ConnectionOrderKey>(db, {
    columns: sql`c.conn_id, c.conn_type, c.description, c.host, c.schema, c.login, c.port, c.password, c.extra`,
    from: sql`connection c`,
    where: [...matching(sql`c.conn_id`, filter.pattern), ...startingWith(sql`c.conn_id`, filter.prefix)],
    page,
    orderable,
    tieBreak: [sql`c.conn_id`],
  });
  return { rows: rows.map((row) => readConnection(row, cipher)), total };
}

/** Locks the connection until the transaction ends. */
export async function lockConnection(tx: Db, connId: string): Promise<void> {
  await tx.query("select 1 from connection where conn_id = $1 for update", [connId]);
}

/** Overwrites every field of a connection that exists. */
export async function replaceConnection(db: Db, cipher: Cipher, connection: Connection): Promise<boolean> {
  const { rowCount } = await db.query(
    `update connection set conn_type = $2, description = $3, host = $4, schema = $5, login = $6, port = $7, password = $8, extra = $9 where conn_id = $1`,
    connectionValues(connection, cipher),
  );
  return rowCount === 1;
}
