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
import { argumentWarning, readSecretFile } from "../../read-secret.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

/** Secrets may stand in files instead. */
type FileOptions = { connUriFile?: string; connJsonFile?: string; connPasswordFile?: string; connExtraFile?: string };
type TextOptions = {
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
export type AddOptions = TextOptions & FileOptions;

export async function addOne(terminal: Terminal, connId: string, options: AddOptions): Promise<void> {
  requireText(connId, "The connection id", CONNECTION_ID_MAX, 1);
  if (!isValidId(connId)) throw usageError(`The connection id ${shown(connId)} is invalid. It must be made of ${ID_RULE}.`);
  const connection = readConnection(connId, await withFiles(options));
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
  const { connUri, connJson, connPassword } = options;
  if (connPassword !== undefined) terminal.note(argumentWarning("--conn-password", "--conn-password-file"));
  else if (connection.password !== null && connUri !== undefined)
    terminal.note(argumentWarning("--conn-uri with a password", "--conn-uri-file"));
  else if (connection.password !== null && connJson !== undefined)
    terminal.note(argumentWarning("--conn-json with a password", "--conn-json-file"));
  if (environmentSecrets().connection(connId) !== null)
    terminal.note(`BARAM_CONN_${connId.toUpperCase()} is set in this environment and overrides the stored connection.`);
}

/** The options with the texts of the files in the place of their paths. */
async function withFiles({
  connUriFile,
  connJsonFile,
  connPasswordFile,
  connExtraFile,
  ...texts
}: AddOptions): Promise<TextOptions> {
  const files = [
    ["connUri", "--conn-uri", connUriFile],
    ["connJson", "--conn-json", connJsonFile],
    ["connPassword", "--conn-password", connPasswordFile],
    ["connExtra", "--conn-extra", connExtraFile],
  ] as const;
  const read: TextOptions = { ...texts };
  if (files.filter(([, , path]) => path === "-").length > 1)
    throw usageError("Only one option can read stdin: give files to the others.");
  for (const [name, flag, path] of files) {
    if (path === undefined) continue;
    if (read[name] !== undefined) throw usageError(`${flag} and ${flag}-file exclude each other: give one.`);
    read[name] = await readSecretFile(path, `${flag}-file`);
  }
  return read;
}

function readConnection(connId: string, options: TextOptions): Connection {
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

function fieldsAsJson(connId: string, options: TextOptions): string {
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
