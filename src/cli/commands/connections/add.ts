import { environmentSecrets, parseConnection } from "../../../config/index.ts";
import {
  CONNECTION_EXTRA_MAX,
  CONNECTION_ID_MAX,
  CONNECTION_TEXT_MAX,
  CONNECTION_TYPE_MAX,
  type Connection,
  ID_RULE,
  isValidId,
} from "../../../contracts/index.ts";
import { BaramError } from "../../../platform/index.ts";
import { addConnection } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { requireText } from "../../find-things.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

export type AddOptions = {
  connUri?: string;
  connJson?: string;
  connType?: string;
  connHost?: string;
  connLogin?: string;
  connPassword?: string;
  connSchema?: string;
  connPort?: number;
  connExtra?: string;
  connDescription?: string;
};

export async function addOne(terminal: Terminal, connId: string, options: AddOptions): Promise<void> {
  requireText(connId, "The connection id", CONNECTION_ID_MAX, 1);
  if (!isValidId(connId)) throw usageError(`The connection id ${shown(connId)} is invalid. It must be made of ${ID_RULE}.`);
  const connection = readConnection(connId, options);
  await withStore(terminal, async ({ store, cipher, audit }) => {
    if (!(await addConnection(store, cipher(), connection))) {
      throw new BaramError(
        "connection_exists",
        `The connection "${connId}" already exists. Delete it first with "baram connections delete ${connId}", or choose another id.`,
        { connId },
      );
    }
    await audit({ event: "cli_connections_add", extra: { conn_id: connId } });
  });
  terminal.print(`Connection ${connId} (${connection.connType}) is added.`);
  if (environmentSecrets().connection(connId) !== null)
    terminal.note(`BARAM_CONN_${connId.toUpperCase()} is set in this environment and overrides the stored connection.`);
}

function readConnection(connId: string, options: AddOptions): Connection {
  const { connUri, connJson, connDescription, ...fields } = options;
  const ways = [connUri !== undefined, connJson !== undefined, Object.values(fields).some((field) => field !== undefined)];
  if (ways.filter(Boolean).length !== 1) {
    throw usageError(
      `Define connection "${connId}" in exactly one way: --conn-uri, --conn-json, or --conn-type with the other fields.`,
    );
  }
  const text = connUri ?? connJson ?? fieldsAsJson(connId, options);
  const isJson = text.trim().startsWith("{");
  if (connUri !== undefined && isJson) throw usageError("--conn-uri was given JSON: use --conn-json for it.");
  if (connJson !== undefined && !isJson) throw usageError("--conn-json must be a JSON object.");
  const connection = parseConnection(connId, text);
  return bounded({ ...connection, description: connDescription ?? connection.description });
}

/** As the API holds them. */
function bounded(connection: Connection): Connection {
  const { description, host, schema, login, password } = connection;
  requireText(connection.connType, "The connection's type", CONNECTION_TYPE_MAX, 1);
  for (const [name, text] of Object.entries({ description, host, schema, login, password }))
    if (text !== null) requireText(text, `The connection's ${name}`, CONNECTION_TEXT_MAX);
  requireText(JSON.stringify(connection.extra), "The connection's extra", CONNECTION_EXTRA_MAX);
  return connection;
}

function fieldsAsJson(connId: string, options: AddOptions): string {
  if (!options.connType) throw usageError(`Connection "${connId}" needs a --conn-type, for example postgres or http.`);
  return JSON.stringify({
    conn_type: options.connType,
    host: options.connHost,
    login: options.connLogin,
    password: options.connPassword,
    schema: options.connSchema,
    port: options.connPort,
    extra: options.connExtra,
  });
}
