import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import type { JsonObject } from "../contracts/index.ts";
import { hideSecrets } from "../platform/index.ts";
import { logEvent } from "../store/index.ts";
import { type ApiEnv, mayAct, type Role, tokenMissing, type User } from "./auth/index.ts";
import { parse, readJson, readQuery } from "./read-request.ts";
import { refusal } from "./refuse.ts";
import type { PublicApiOptions, PublicApiResources } from "./resources.ts";
import type { VersionFactsCache } from "./rest/version-facts.ts";

/** The dependencies of a resource's routes. */
export type Api = {
  readonly app: OpenAPIHono<ApiEnv>;
  readonly resources: PublicApiResources;
  readonly options: PublicApiOptions;
  readonly facts: VersionFactsCache;
};

type Method = "get" | "post" | "put" | "patch" | "delete";

type Spec<P, Q, B, A> = {
  /** Group in the OpenAPI document. */
  tag: string;
  summary: string;
  /** The lowest role with access; null = everybody, without a token. */
  access: Role | null;
  /** Event name of the audit log entry that a write creates. Every write has one. */
  audit?: string;
  params?: z.ZodType<P> & z.ZodObject;
  query?: z.ZodType<Q> & z.ZodObject;
  body?: z.ZodType<B>;
  answer: z.ZodType<A>;
  status?: 200 | 201;
  /** Further media types of the answer, for the OpenAPI document. */
  alsoAnswers?: readonly string[];
};

/** Facts about the audit log entry that the path does not contain. `skip`: no entry, for a dry run, which writes nothing. */
export type AuditNote = { skip?: boolean; dagId?: string; runId?: string; extra?: JsonObject };

export type Call<P, Q, B> = { params: P; query: Q; body: B; user: User; c: Context<ApiEnv>; audit: AuditNote } & Pick<
  Api,
  "resources" | "options" | "facts"
>;

const NOBODY: User = { name: "", role: "viewer" };

/**
 * Adds one route to the server and, from the same schemas, to the OpenAPI document. A request is checked in this order: role,
 * path, query, body. Then the handler runs, then the audit log entry of a write is created. The answer is sent as JSON unless the
 * handler returned a Response.
 */
export function endpoint<A, P = unknown, Q = unknown, B = unknown>(
  api: Api,
  route: `${Method} /${string}`,
  spec: Spec<P, Q, B, A>,
  handle: (call: Call<P, Q, B>) => Promise<NoInfer<A> | Response>,
): void {
  const [method = "get", path = "/"] = route.split(" ") as [Method, string];
  const { resources, options, facts } = api;
  const status = spec.status ?? 200;
  document(api, method, path, spec);

  api.app.on(method.toUpperCase(), path.replaceAll(/\{(.+?)\}/g, ":$1"), async (c) => {
    // Without the middleware that sets the user, a route with a role refuses everybody.
    const known = c.get("user") as User | undefined;
    if (spec.access !== null && !known) throw tokenMissing();
    const user = known ?? NOBODY;
    if (spec.access !== null && !mayAct(user.role, spec.access)) {
      throw refusal(
        "role_too_low",
        `This needs the role ${spec.access}; "${user.name}" is ${user.role}. Ask an administrator.`,
        {},
      );
    }
    const params = spec.params ? parse(spec.params, c.req.param(), "path") : (undefined as P);
    const query = spec.query ? parse(spec.query, readQuery(c), "query") : (undefined as Q);
    const body = spec.body ? parse(spec.body, await readJson(c), "body") : (undefined as B);
    const audit: AuditNote = {};
    const answer = await handle({ params, query, body, user, c, audit, resources, options, facts });
    if (spec.audit && !audit.skip) await leaveLine(api, spec.audit, user, c.req.param(), audit);
    if (answer instanceof Response) return answer;
    return c.json(answer as object, status);
  });
}

/** An answer with status 204. */
export function noContent(c: Context): Response {
  return c.body(null, 204);
}

async function leaveLine(api: Api, event: string, user: User, path: Record<string, string>, note: AuditNote): Promise<void> {
  const { dag_id: dagId, dag_run_id, task_id: taskId, ...others } = path;
  const extra = hideSecrets({ ...others, ...note.extra }, api.options.isSensitiveName);
  await logEvent(api.resources.store, {
    event,
    owner: user.name,
    dagId: note.dagId ?? dagId,
    runId: note.runId ?? dag_run_id,
    taskId,
    extra,
  });
}

function document<P, Q, B, A>(api: Api, method: Method, path: string, spec: Spec<P, Q, B, A>): void {
  const errors = Object.fromEntries(
    [...(spec.access === null ? [] : [401, 403]), ...(spec.params ? [404] : []), ...(spec.body ? [400] : []), 422].map((code) => [
      code,
      { description: ERROR_NAMES[code] ?? "" },
    ]),
  );
  const content = Object.fromEntries(
    ["application/json", ...(spec.alsoAnswers ?? [])].map((type) => [type, { schema: spec.answer }]),
  );
  const done: RouteResponses =
    method === "delete" ? { 204: { description: "Done" } } : { [spec.status ?? 200]: { description: "Done", content } };
  api.app.openAPIRegistry.registerPath({
    method,
    path,
    summary: spec.summary,
    tags: [spec.tag],
    ...(spec.access === null ? {} : { security: [{ HTTPBearer: [] }] }),
    request: {
      ...(spec.params ? { params: spec.params } : {}),
      ...(spec.query ? { query: spec.query } : {}),
      ...(spec.body ? { body: { required: true, content: { "application/json": { schema: spec.body } } } } : {}),
    },
    responses: { ...done, ...errors },
  });
}

type RouteResponses = Parameters<Api["app"]["openAPIRegistry"]["registerPath"]>[0]["responses"];

const ERROR_NAMES: Record<number, string> = {
  400: "Malformed, or impossible with these values",
  401: "The token is missing or invalid",
  403: "The user's role does not allow this",
  404: "Not found",
  422: "A value is invalid; detail names each location",
};
