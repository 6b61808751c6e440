import type { Connection, JsonObject } from "../../../contracts/index.ts";
import type { Cipher } from "../../cipher.ts";
import type { Db } from "../../store.ts";

export type ConnectionRow = {
  conn_id: string;
  conn_type: string;
  description: string | null;
  host: string | null;
  schema: string | null;
  login: string | null;
  port: number | null;
  password: Buffer | null;
  extra: Buffer | null;
};

const COLUMNS = "conn_id, conn_type, description, host, schema, login, port, password, extra";

export async function findConnection(db: Db, cipher: Cipher, connId: string): Promise<Connection | null> {
  const { rows } = await db.query<ConnectionRow>(
    { name: "find-connection", text: `select ${COLUMNS} from connection where conn_id = $1` },
    [connId],
  );
  return rows[0] ? readConnection(rows[0], cipher) : null;
}

export async function allConnections(db: Db, cipher: Cipher): Promise<Connection[]> {
  const { rows } = await db.query<ConnectionRow>(`select ${COLUMNS} from connection order by conn_id`);
  return rows.map((row) => readConnection(row, cipher));
}

const insert = `insert into connection (${COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (conn_id) do nothing`;

/** Returns false if the id is taken; nothing was written then. */
export async function addConnection(db: Db, cipher: Cipher, connection: Connection): Promise<boolean> {
  const { rowCount } = await db.query(insert, connectionValues(connection, cipher));
  return rowCount === 1;
}

export async function deleteConnection(db: Db, connId: string): Promise<boolean> {
  return (await db.query("delete from connection where conn_id = $1", [connId])).rowCount === 1;
}

/** A connection's columns, in the order of COLUMNS; what is secret is encrypted. */
export function connectionValues(connection: Connection, cipher: Cipher): unknown[] {
  return [
    connection.connId,
    connection.connType,
    connection.description,
    connection.host,
    connection.schema,
    connection.login,
    connection.port,
    connection.password === null ? null : cipher.encrypt(connection.password),
    Object.keys(connection.extra).length === 0 ? null : cipher.encrypt(JSON.stringify(connection.extra)),
  ];
}

export function readConnection(row: ConnectionRow, cipher: Cipher): Connection {
  return {
    connId: row.conn_id,
    connType: row.conn_type,
    description: row.description,
    host: row.host,
    schema: row.schema,
    login: row.login,
    port: row.port,
    password: row.password ? cipher.decrypt(row.password) : null,
    extra: row.extra ? (JSON.parse(cipher.decrypt(row.extra)) as JsonObject) : {},
  };
}
