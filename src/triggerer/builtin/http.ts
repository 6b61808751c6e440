import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import {
  type Connection,
  durationSecSchema,
  type JsonValue,
  jsonValueSchema,
  positiveSecSchema,
  type TriggerEnd,
} from "../../contracts/index.ts";
import { timeoutSignal, toError } from "../../platform/index.ts";
import { type BuiltinContext, createGate, poll } from "./builtin-context.ts";
import { fetchWithRedirects } from "./fetch-with-redirects.ts";

const kwargsSchema = z.object({
  url: z.string().min(1),
  connId: z.string().optional(),
  method: z.string().default("GET"),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().optional(),
  expectedStatuses: z.array(z.int()).optional(),
  failedStatuses: z.array(z.int()).default([]),
  json: z
    .object({ path: z.string(), oneOf: z.array(jsonValueSchema).optional(), failedWhen: z.array(jsonValueSchema).default([]) })
    .optional(),
  pollIntervalSec: durationSecSchema.min(0.05).default(30),
  requestTimeoutSec: positiveSecSchema.default(30),
});
type Kwargs = z.infer<typeof kwargsSchema>;

const BODY_MAX_BYTES = 64 * 1024;
const gate = createGate(32);

export async function runHttp(kwargs: unknown, ctx: BuiltinContext): Promise<TriggerEnd> {
  const wanted = kwargsSchema.parse(kwargs);
  return poll(ctx, wanted.pollIntervalSec, async () => {
    let answer: Answer;
    try {
      answer = await gate(() => ask(wanted, ctx));
    } catch (error) {
      // An unreachable server is waited for; the deferral's timeout limits it.
      ctx.log("info", `${shown(wanted.url)} could not be asked: ${reasonOf(error)}`);
      ctx.signal.throwIfAborted();
      return undefined;
    }
    return judgeAnswer(wanted, answer);
  });
}

/** Without the user and the password that a URL may hold. */
function shown(url: string): string {
  return url.replace(/^(https?:\/\/)[^/?#]*@/i, "$1");
}

type Answer = { status: number; body: JsonValue };

/** The end that an answer means; undefined = keep waiting. Pure. */
export function judgeAnswer(
  wanted: Pick<Kwargs, "url" | "expectedStatuses" | "failedStatuses" | "json">,
  answer: Answer,
): TriggerEnd | undefined {
  const { status, body } = answer;
  if (wanted.failedStatuses.includes(status)) return { kind: "failed", message: `${shown(wanted.url)} answered ${status}` };
  if (!(wanted.expectedStatuses?.includes(status) ?? (status >= 200 && status < 300))) return undefined;
  if (wanted.json) {
    const { path, oneOf, failedWhen } = wanted.json;
    const value = valueAt(body, path);
    const isOneOf = (list: readonly JsonValue[]) => list.some((each) => isDeepStrictEqual(each, value));
    if (isOneOf(failedWhen)) return { kind: "failed", message: `${shown(wanted.url)}: ${path} is ${JSON.stringify(value)}` };
    if (oneOf ? !isOneOf(oneOf) : value === null || value === false) return undefined;
  }
  return { kind: "event", payload: { status, body } };
}

function valueAt(body: JsonValue, path: string): JsonValue {
  let value: JsonValue = body;
  for (const key of path.split(".").filter((part) => part !== "")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
    value = (value as Record<string, JsonValue>)[key] ?? null;
  }
  return value;
}

async function ask(wanted: Kwargs, ctx: BuiltinContext): Promise<Answer> {
  const connection = wanted.connId === undefined ? null : await ctx.call("getConnection", { connId: wanted.connId });
  if (wanted.connId !== undefined && connection === null) throw new Error(`there is no connection "${wanted.connId}"`);
  const signal = AbortSignal.any([ctx.signal, timeoutSignal(wanted.requestTimeoutSec * 1_000)]);
  const request = {
    url: addressOf(wanted.url, connection),
    method: wanted.method.toUpperCase(),
    headers: { ...connectionHeaders(connection), ...wanted.headers },
    ...(wanted.body === undefined ? {} : { body: wanted.body }),
    signal,
  };
  const response = await fetchWithRedirects(request, (origin) =>
    ctx.log("debug", `${shown(wanted.url)} redirects to ${origin}, which gets no headers of the connection`),
  );
  const text = await readSome(response);
  try {
    return { status: response.status, body: JSON.parse(text) as JsonValue };
  } catch {
    return { status: response.status, body: text };
  }
}

function addressOf(url: string, connection: Connection | null): URL {
  if (connection === null) return new URL(url);
  const host = connection.host ?? "";
  const base = /^https?:\/\//.test(host)
    ? host
    : `${connection.connType === "https" || connection.schema === "https" ? "https" : "http"}://${host}`;
  const address = new URL(base);
  if (connection.port !== null) address.port = String(connection.port);
  const full = new URL(url, address);
  // An absolute URL would send the connection's password to any host that the DAG file names.
  if (full.origin !== address.origin)
    throw new Error(`url leads to ${full.origin}, away from the connection's ${address.origin}`);
  return full;
}

function connectionHeaders(connection: Connection | null): Record<string, string> {
  if (connection === null) return {};
  const headers: Record<string, string> = {};
  const extra = connection.extra.headers;
  if (typeof extra === "object" && extra !== null) {
    for (const [name, value] of Object.entries(extra)) headers[name] = String(value);
  }
  if (connection.login !== null || connection.password !== null) {
    const pair = `${connection.login ?? ""}:${connection.password ?? ""}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  return headers;
}

/** The body's first 64 KB: an endless answer must not fill the memory that all triggers share. */
async function readSome(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes >= BODY_MAX_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, BODY_MAX_BYTES).toString("utf8").replaceAll("\0", "");
}

/** `fetch` says only "fetch failed"; what happened is in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = toError(error);
  return cause instanceof Error && cause.message !== "" ? `${message}: ${cause.message}` : message;
}
