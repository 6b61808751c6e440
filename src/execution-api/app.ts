import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import {
  type BatchAnswer,
  batchRequestSchema,
  callRequestSchema,
  type HeartbeatAnswer,
  heartbeatRequestSchema,
} from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import { beatTries, endCallback, findModule } from "../store/index.ts";
import { beginCallback } from "./begin-callback.ts";
import { endBatch } from "./end-tries.ts";
import { Refusal } from "./refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
import { answerCall, isRunnerMethod } from "./runner-calls.ts";
import { startBatch } from "./start-tries.ts";

/** A batch may carry many outcomes, each with its XComs. */
const BODY_MAX_BYTES = 256 * 1024 * 1024;

/** The server half of the workers' protocol: everything a supervisor may ask, below /execution. Stateless; any number may run. */
export function createExecutionApi(resources: ExecutionApiResources, options: ExecutionApiOptions): Hono {
  const app = new Hono();
  app.use(
    bodyLimit({
      maxSize: BODY_MAX_BYTES,
      onError: (c) => c.json({ detail: { reason: "body_too_large", message: "The request is too large." } }, 413),
    }),
  );
  app.onError((error, c) => answerError(error, c, resources));
  app.get("/health", (c) => c.json({ status: "healthy" }));

  app.post("/baram/batch", async (c) => {
    const { items } = await readBody(c, batchRequestSchema);
    // Ends first: what they free may be what the starts were waiting for.
    const ended = await endBatch(
      resources,
      options,
      items.filter((item) => item.op === "finish"),
    );
    const started = await startBatch(
      resources,
      options,
      items.filter((item) => item.op === "run"),
    );
    const answer: BatchAnswer = {
      items: items.map(({ op, id }) => {
        const result = op === "run" ? started.get(id) : ended.get(id);
        if (result instanceof Refusal)
          return { id, ok: false, status: result.status, code: result.code, message: result.message };
        return result ? { id, ok: true, context: result } : { id, ok: true };
      }),
    };
    return c.json(answer);
  });

  app.post("/baram/heartbeat", async (c) => {
    const { tries } = await readBody(c, heartbeatRequestSchema);
    const valid: { id: string; expiresAt: number | null }[] = [];
    const lost: string[] = [];
    for (const { id, token } of tries) {
      const claims = await resources.tokens.verify("baram:task", token).catch(() => null);
      if (claims?.subject === id) valid.push({ id, expiresAt: claims.expiresAt });
      else lost.push(id);
    }
    const running = new Set(
      await beatTries(
        resources.store,
        valid.map(({ id }) => id),
      ),
    );
    const answer: HeartbeatAnswer = { running: [], lost };
    for (const { id, expiresAt } of valid) {
      if (!running.has(id)) answer.lost.push(id);
      else if (expiresAt !== null && expiresAt - resources.clock.now() / 1_000 < options.tokenTtlSec / 2) {
        answer.running.push({ id, token: await resources.tokens.sign("baram:task", { subject: id }, options.tokenTtlSec) });
      } else answer.running.push({ id });
    }
    return c.json(answer);
  });

  app.post("/baram/call", async (c) => {
    const tryId = await bearerOf(c, resources);
    const { method, params } = await readBody(c, callRequestSchema);
    if (!isRunnerMethod(method)) throw new Refusal(422, "method_unknown", `There is no call "${method}".`, { method });
    return c.json({ result: await answerCall({ tryId, resources, options }, method, params) });
  });

  app.post("/baram/callbacks/:id/start", async (c) => {
    const id = await callbackOf(c, resources);
    return c.json({ request: await beginCallback(resources.store, id) });
  });

  app.post("/baram/callbacks/:id/end", async (c) => {
    const id = await callbackOf(c, resources);
    const { state } = await readBody(c, z.object({ state: z.enum(["success", "failed"]) }));
    await endCallback(resources.store, id, state);
    return c.json({});
  });

  app.get("/baram/modules/:hash", async (c) => {
    const { hash } = c.req.param();
    const module = /^[0-9a-f]{64}$/.test(hash) ? await findModule(resources.store, hash) : null;
    if (!module) throw new Refusal(404, "module_not_found", `There is no module ${hash}.`, { hash });
    // Content-addressed and without secrets, but not public: any workload's token opens it.
    const token = readBearer(c);
    await resources.tokens.verify("baram:workload", token).catch(() => resources.tokens.verify("baram:task", token));
    return c.body(new Uint8Array(module.code), 200, {
      "content-type": "application/gzip",
      "x-baram-externals": JSON.stringify(module.externals),
    });
  });
  return app;
}

async function readBody<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  let body: unknown;
  try {
    body = await c.req.json();
  } catch {
    throw new Refusal(400, "body_malformed", "The request's body is not JSON.");
  }
  const checked = schema.safeParse(body);
  if (!checked.success) throw new Refusal(422, "body_invalid", z.prettifyError(checked.error).slice(0, 1_000));
  return checked.data;
}

function readBearer(c: Context): string {
  const [scheme, token] = (c.req.header("authorization") ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token) throw new Refusal(401, "token_missing", "A task's token is needed.");
  return token;
}

async function bearerOf(c: Context, resources: ExecutionApiResources): Promise<string> {
  return (await resources.tokens.verify("baram:task", readBearer(c))).subject;
}

/** A callback's workload token is good for that callback only. */
async function callbackOf(c: Context, resources: ExecutionApiResources): Promise<string> {
  const { subject } = await resources.tokens.verify("baram:workload", readBearer(c));
  if (subject !== c.req.param("id")) throw new Refusal(403, "token_of_another", "The token is for another workload.");
  return subject;
}

const STATUS_OF: Record<string, 400 | 401 | 404 | 409 | 503> = {
  token_invalid: 401,
  token_expired: 401,
  dag_not_found: 404,
  dag_run_not_found: 404,
  dag_stale: 409,
  dag_run_exists: 409,
  conf_invalid: 400,
  database_unavailable: 503,
};

function answerError(error: Error, c: Context, resources: ExecutionApiResources): Response {
  if (error instanceof BaramError) {
    const status = error instanceof Refusal ? error.status : STATUS_OF[error.code];
    if (status) return c.json({ detail: { reason: error.code, message: error.message, ...error.facts } }, status);
  }
  resources.logger.error({ error: error.message, stack: error.stack, path: c.req.path }, "an execution call failed");
  return c.json({ detail: { reason: "internal_error", message: "The server failed on this request; its log says why." } }, 500);
}
