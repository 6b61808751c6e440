/** Baram's own calls, below /execution/baram: many tries in one round trip, and what a supervisor needs beside tasks. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import {
  BATCH_MAX_BYTES,
  type BatchAnswer,
  callRequestSchema,
  HEARTBEAT_MAX_BYTES,
  type HeartbeatAnswer,
  heartbeatItemSchema,
  heartbeatRequestSchema,
  LOG_BODY_MAX_BYTES,
  type LogAnswers,
  logPiecesSchema,
  type RunContext,
} from "../../contracts/index.ts";
import type { VerifiedToken } from "../../platform/index.ts";
import { callbackLogPathOf } from "../../scheduler/commands/index.ts";
import { beatTries, endCallback, findModule, findStopReasons } from "../../store/index.ts";
import { beginCallback } from "../begin-callback.ts";
import { type FinishAnswer, finishBatch } from "../finish-tries.ts";
import { announcedBytes, type CallLimits } from "../limit-calls.ts";
import { type ReadItem, readBatch } from "../read-batch.ts";
import { readAnyJson, readBody } from "../read-request.ts";
import { Refusal, workerNeeded } from "../refusal.ts";
import { answerCall, isRunnerMethod } from "../runner-calls.ts";
import { withStopReason } from "../stale-try.ts";
import { judgeStart, startBatch } from "../start-tries.ts";
import { takePieces } from "../take-pieces.ts";
import { bearerOf, OVERDUE_SEC, readBearer, renewToken } from "../tokens.ts";
import type { Deps } from "./route.ts";

/** Measured: 20 bytes, and 0.5 KB with a start token. */
const CALLBACK_MAX_BYTES = 128 * 1024;

/** The answer is longer than a string may be: the supervisor asks again for fewer tries at once. */
function write(answer: BatchAnswer): string {
  try {
    return JSON.stringify(answer);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Refusal(
      413,
      "answer_too_large",
      "The results that the tries are mapped over are too large for one answer; ask for fewer tries at once.",
    );
  }
}

function stateIn({ facts }: Refusal): { previousState?: string | null } {
  const state = facts.previous_state;
  return typeof state === "string" || state === null ? { previousState: state } : {};
}

function refusedItem(id: string | null, refusal: Refusal): BatchAnswer["items"][number] {
  return { id, ok: false, status: refusal.status, code: refusal.code, message: refusal.message, ...stateIn(refusal) };
}

export function addBaramCalls(app: Hono, { resources, options }: Deps, limits: CallLimits): void {
  const { store, tokens, live } = resources;

  app.post("/baram/batch", limits.toOrAlone(BATCH_MAX_BYTES), async (c) => {
    const bearer = await bearerOf(resources, c);
    const items = readBatch(await readAnyJson(c));
    checkAlone(c, bearer, items);
    // In parallel: no start depends on an end, since the scheduler counted the started try's slot without the other.
    const [finished, started] = await Promise.all([
      finishBatch(
        resources,
        options,
        items.filter((item) => item.op === "finish"),
      ),
      startBatch(
        resources,
        options,
        items.filter((item) => item.op === "run"),
        bearer.audience === "baram:worker",
      ),
    ]);
    const answer: BatchAnswer = {
      items: items.map((item) => {
        if (item.op === "refused") return refusedItem(item.id, item.refusal);
        const { id } = item;
        const context = item.op === "run" ? started.get(item.id) : undefined;
        const end = item.op === "finish" ? finished.get(item.id) : undefined;
        const refused = context ?? end;
        if (refused instanceof Refusal) return refusedItem(id, refused);
        return { id, ok: true, ...(context && { context: context as RunContext }), ...(end as Exclude<FinishAnswer, Refusal>) };
      }),
    };
    return c.body(write(answer), 200, { "content-type": "application/json" });
  });

  app.post("/baram/heartbeat", limits.to(HEARTBEAT_MAX_BYTES), async (c) => {
    const { tries } = await readBody(c, heartbeatRequestSchema);
    const valid = new Map<string, Awaited<ReturnType<typeof tokens.verify>>>();
    const lost: string[] = [];
    for (const item of tries) {
      const read = heartbeatItemSchema.safeParse(item);
      if (!read.success) {
        const id = heartbeatItemSchema.shape.id.safeParse((item as { id?: unknown } | null)?.id);
        if (id.success) lost.push(id.data);
        continue;
      }
      const { id, token } = read.data;
      // After a long outage of the database the tokens are overdue, and the tries still run.
      const claims = await tokens.verify("baram:task", token, OVERDUE_SEC).catch(() => null);
      if (claims?.subject === id) valid.set(id, claims);
      else lost.push(id);
    }
    const running = new Set(await beatTries(store, [...valid.keys()]));
    const answer: HeartbeatAnswer = { running: [], lost };
    for (const [id, claims] of valid) {
      if (!running.has(id)) answer.lost.push(id);
      else {
        const token = await renewToken(resources, options, claims);
        answer.running.push(token === null ? { id } : { id, token });
      }
    }
    // Only for tries whose token is valid: a stranger must not learn the reason.
    const reasons = await findStopReasons(
      store,
      answer.lost.filter((id) => valid.has(id)),
    );
    return c.json(reasons.size === 0 ? answer : { ...answer, reasons: Object.fromEntries(reasons) });
  });

  app.post("/baram/call", limits.toOrAlone(), async (c) => {
    const claims = await tokens.verify("baram:task", readBearer(c));
    const { subject: tryId } = claims;
    const { method, params } = await readBody(c, callRequestSchema);
    if (!isRunnerMethod(method)) throw new Refusal(422, "method_unknown", `There is no call "${method}".`, { method });
    try {
      await live.check(claims);
      return c.json({ result: await answerCall({ tryId, claims, resources, options }, method, params) });
    } catch (error) {
      throw await withStopReason(store, error);
    }
  });

  // The bearer is the callback's start token; or a worker's own token, and then the start token is in the body.
  app.post("/baram/callbacks/:id/start", limits.to(CALLBACK_MAX_BYTES), async (c) => {
    const id = c.req.param("id");
    const isWorker = (await bearerOf(resources, c)).audience === "baram:worker";
    const token = isWorker ? (await readBody(c, z.object({ token: z.string() }))).token : readBearer(c);
    const { subject } = await tokens.verify("baram:workload", token);
    if (subject !== id) throw new Refusal(403, "token_of_another", "The token is for another workload.");
    const refusal = await judgeStart(resources, { id, token }, isWorker);
    if (refusal !== null) throw refusal;
    const request = await beginCallback(store, id);
    const { dagId, runId } = request.dagRun;
    // For the callback's own calls. Since it is no try, every write of a try is refused.
    const claims = { subject: id, logPath: callbackLogPathOf({ dagId, runId, id }) };
    live.started([id]);
    return c.json({ request, token: await tokens.sign("baram:task", claims, options.tokenTtlSec) });
  });

  app.post("/baram/callbacks/:id/end", limits.to(CALLBACK_MAX_BYTES), async (c) => {
    const { subject: id } = await tokens.verify("baram:task", readBearer(c), OVERDUE_SEC);
    if (id !== c.req.param("id")) throw new Refusal(403, "token_of_another", "The token is for another callback.");
    const { state } = await readBody(c, z.object({ state: z.enum(["success", "failed"]) }));
    await endCallback(store, id, state);
    live.ended([id]);
    if (state === "failed") resources.metrics.count("dag.callback_exceptions", {});
    return c.json({});
  });

  app.post("/baram/logs", limits.to(LOG_BODY_MAX_BYTES), async (c) => {
    const { pieces } = await readBody(c, logPiecesSchema);
    const answer: LogAnswers = { pieces: await takePieces(resources, pieces) };
    return c.json(answer);
  });

  app.get("/baram/modules/:hash", async (c) => {
    // Content-addressed and without secrets, but not public: the token of any workload that may start, running try or worker gives access.
    const bearer = await bearerOf(resources, c);
    if (bearer.audience === "baram:probe") throw new Refusal(403, "token_of_another", "The token is for a check only.");
    if (bearer.needsWorker) throw workerNeeded(bearer.subject);
    if (bearer.audience === "baram:task") await live.check(bearer);
    const { hash } = c.req.param();
    const module = /^[0-9a-f]{64}$/.test(hash) ? await findModule(store, hash) : null;
    if (!module) throw new Refusal(404, "module_not_found", `There is no module ${hash}.`, { hash });
    return c.body(new Uint8Array(module.code), 200, {
      "content-type": "application/gzip",
      "x-baram-externals": JSON.stringify(module.externals),
    });
  });
}

/** Only one try's own end may be larger than a batch. */
function checkAlone(c: Context, bearer: VerifiedToken, items: readonly ReadItem[]): void {
  if (announcedBytes(c) <= BATCH_MAX_BYTES || (items.length === 1 && items[0]?.id === bearer.subject)) return;
  const message = `A batch has ${BATCH_MAX_BYTES} bytes at most; an end that is larger goes alone, with its own try's token.`;
  throw new Refusal(413, "body_too_large", message, { maxBytes: BATCH_MAX_BYTES });
}
