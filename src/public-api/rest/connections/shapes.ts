import { z } from "@hono/zod-openapi";
import {
  CONNECTION_EXTRA_MAX,
  CONNECTION_ID_MAX,
  CONNECTION_TEXT_MAX,
  CONNECTION_TYPE_MAX,
  type Connection,
  isReachable,
  isTooDeep,
  JSON_DEPTH_RULE,
  type JsonObject,
  REACHABLE_RULE,
} from "../../../contracts/index.ts";
import { HIDDEN, hideInText, hideSecrets, type NameRule, restoreHidden } from "../../../platform/index.ts";
import { refusal } from "../../refuse.ts";
import { absent } from "../fields.ts";

/** `password` and the secrets in the other fields are write-only: answers show *** in their place. */
export const connectionShape = z
  .object({
    connection_id: z.string(),
    conn_type: z.string(),
    description: z.string().nullable(),
    host: z.string().nullable(),
    login: z.string().nullable(),
    schema: z.string().nullable(),
    port: z.int().nullable(),
    password: z.string().nullable(),
    extra: z.string().nullable(),
    team_name: z.string().nullable(),
  })
  .openapi("ConnectionResponse");

export const connIdField = z
  .string()
  .max(CONNECTION_ID_MAX)
  .regex(/^[\w.-]+$/, "must be made of letters, digits, '_', '.' and '-'")
  .refine(isReachable, REACHABLE_RULE);
const optionalText = z.string().max(CONNECTION_TEXT_MAX).nullable().optional();

export const connectionBody = z
  .strictObject({
    connection_id: connIdField,
    conn_type: z.string().min(1).max(CONNECTION_TYPE_MAX),
    description: optionalText,
    host: optionalText,
    login: optionalText,
    schema: optionalText,
    port: z.int().min(1).max(65_535).nullable().optional(),
    password: optionalText,
    /** A JSON object, encoded as a string. */
    extra: z.string().max(CONNECTION_EXTRA_MAX).nullable().optional(),
    team_name: absent,
  })
  .openapi("ConnectionBody");
export type ConnectionBody = z.infer<typeof connectionBody>;

export function toConnection(connection: Connection, rule: NameRule): z.infer<typeof connectionShape> {
  const shown = (text: string | null) => text && hideInText(text, rule);
  return {
    connection_id: connection.connId,
    conn_type: connection.connType,
    description: shown(connection.description),
    host: shown(connection.host),
    login: shown(connection.login),
    schema: shown(connection.schema),
    port: connection.port,
    password: connection.password === null ? null : HIDDEN,
    extra: Object.keys(connection.extra).length === 0 ? null : JSON.stringify(hideSecrets(connection.extra, rule)),
    team_name: null,
  };
}

/** `old` supplies the fields that the body does not contain, and the value of a field that the client sends back as ***. */
export function fromBody(connId: string, body: Partial<ConnectionBody>, old: Connection | null, rule: NameRule): Connection {
  const kept = <T>(given: T | null | undefined, before: T | null | undefined): T | null =>
    given === undefined ? (before ?? null) : (restoreHidden(given, before ?? undefined, false, rule) as T | null);
  return {
    connId,
    connType: body.conn_type ?? old?.connType ?? "",
    description: kept(body.description, old?.description),
    host: kept(body.host, old?.host),
    schema: kept(body.schema, old?.schema),
    login: kept(body.login, old?.login),
    port: kept(body.port, old?.port),
    password: body.password === HIDDEN && old ? old.password : kept(body.password, old?.password),
    extra: body.extra === undefined ? (old?.extra ?? {}) : readExtra(body.extra, old?.extra ?? {}, rule),
  };
}

function readExtra(text: string | null, old: JsonObject, rule: NameRule): JsonObject {
  if (text === null || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const faults = [{ loc: ["body", "extra"], msg: "must be a JSON object as a text", type: "invalid_format" }];
    throw refusal("request_invalid", "body.extra: must be a JSON object as a text", { faults });
  }
  if (isTooDeep(value)) throw refusal("body_malformed", `body.extra ${JSON_DEPTH_RULE}. Send flatter data.`);
  return restoreHidden(value, old, false, rule) as JsonObject;
}
