import { type Config, environmentSecrets, readEncryptionKey } from "../config/index.ts";
import type { Connection } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import { type Cipher, createCipher, findConnection, type Store } from "../store/index.ts";

export type FindConnection = (connId: string) => Promise<Connection | null>;

/** Looks up a connection as tasks do: in the environment first, then in the database. */
export function createConnectionFinder(config: Config, store: Store): FindConnection {
  const secrets = environmentSecrets();
  let cipher: Cipher | undefined;
  return async (connId) => {
    const known = secrets.connection(connId);
    if (known) return known;
    // Loaded on first use: most schedulers need no key.
    cipher ??= createCipher(readEncryptionKey(config));
    return findConnection(store, cipher, connId);
  };
}

/** The connection that an option names. Throws `connection_not_found`. `option`: e.g. `[logging] remote_log_conn_id`. */
export async function demandConnection(find: FindConnection, connId: string, option: string): Promise<Connection> {
  const connection = await find(connId);
  if (connection) return connection;
  const message = `There is no connection "${connId}", which ${option} names. Add it with: baram connections add`;
  throw new BaramError("connection_not_found", message, { connId });
}
