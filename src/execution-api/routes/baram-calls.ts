/** Baram's own calls, below /execution/baram: many tries in one round trip, and what a supervisor needs beside tasks. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import {
  type BatchAnswer,
  batchRequestSchema,
  callRequestSchema,
  type HeartbeatAnswer,
  heartbeatRequestSchema,
  LOG_PIECES_MAX,
  LOG_PIECES_MAX_BYTES,
  type LogAnswers,
  logPiecesSchema,
  type RunContext,
} from "../../contracts/index.ts";
import { limitBody } from "../../platform/index.ts";
import { callbackLogPathOf } from "../../scheduler/commands/index.ts";
import { beatTries, endCallback, findModule, findStopReasons } from "../../store/index.ts";
import { beginCallback } from "../begin-callback.ts";
import { finishBatch } from "../finish-tries.ts";
import { readBatch } from "../read-batch.ts";
import { readBody } from "../read-request.ts";
import { Refusal } from "../refusal.ts";
import { answerCall, isRunnerMethod } from "../runner-calls.ts";
import { withStopReason } from "../stale-try.ts";
import { startBatch } from "../start-tries.ts";
import { takePieces } from "../take-pieces.ts";
import { readBearer, renewToken } from "../tokens.ts";
import type { Deps } from "./route.ts";

/** JSON takes at most six bytes for one byte of text; each piece also has its token. */
const LOG_BODY_MAX_BYTES = 6 * LOG_PIECES_MAX_BYTES + 2_048 * LOG_PIECES_MAX;
const tooLarge = (c: Context) =>
  c.json(
    { detail: { reason: "body_too_large", message: `Pieces of logs have ${LOG_PIECES_MAX_BYTES} bytes in one call at most.` } },
    413,
  );

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

export function addBaramCalls(app: Hono, { resources, options }: Deps): void {
  const { store, tokens } = resources;

  app.post("/baram/batch", async (c) => {
    const items = readBatch((await readBody(c, batchRequestSchema)).items);
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
      ),
    ]);
    const answer: BatchAnswer = {
      items: items.map((item) => {
        const { id } = item;
        const context = item.op === "run" ? started.get(id) : undefined;
        const end = item.op === "finish" ? finished.get(id) : undefined;
        const refused = item.op === "refused" ? item.refusal : (context ?? end);
        if (refused instanceof Refusal)
          return { id, ok: false, status: refused.status, code: refused.code, message: refused.message, ...stateIn(refused) };
        return { id, ok: true, ...(context && { context: context as RunContext }), ...(end as { failed?: string }) };
      }),
    };
    return c.body(write(answer), 200, { "content-type": "application/json" });
  });

  app.post("/baram/heartbeat", async (c) => {
    const { tries } = await readBody(c, heartbeatRequestSchema);
    const valid = new Map<string, Awaited<ReturnType<typeof tokens.verify>>>();
    const lost: string[] = [];
    for (const { id, token } of tries) {
      const claims = await tokens.verify("baram:task", token).catch(() => null);
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

  app.post("/baram/call", async (c) => {
    const { subject: tryId } = await tokens.verify("baram:task", readBearer(c));
    const { method, params } = await readBody(c, callRequestSchema);
    if (!isRunnerMethod(method)) throw new Refusal(422, "method_unknown", `There is no call "${method}".`, { method });
    try {
      return c.json({ result: await answerCall({ tryId, resources, options }, method, params) });
    } catch (error) {
      throw await withStopReason(store, error);
    }
  });

  app.post("/baram/callbacks/:id/start", async (c) => {
    const id = await callbackOf(c.req.param("id"), readBearer(c));
    const request = await beginCallback(store, id);
    const { dagId, runId } = request.dagRun;
    // For the callback's own calls. Since it is no try, every write of a try is refused.
    const claims = { subject: id, logPath: callbackLogPathOf({ dagId, runId, id }) };
    return c.json({ request, token: await tokens.sign("baram:task", claims, options.tokenTtlSec) });
  });

  app.post("/baram/callbacks/:id/end", async (c) => {
    const id = await callbackOf(c.req.param("id"), readBearer(c));
    const { state } = await readBody(c, z.object({ state: z.enum(["success", "failed"]) }));
    await endCallback(store, id, state);
    if (state === "failed") resources.metrics.count("dag.callback_exceptions", {});
    return c.json({});
  });

  app.post("/baram/logs", limitBody(LOG_BODY_MAX_BYTES, tooLarge), async (c) => {
    const { pieces } = await readBody(c, logPiecesSchema);
    const answer: LogAnswers = { pieces: await takePieces(resources, pieces) };
    return c.json(answer);
  });

  app.get("/baram/modules/:hash", async (c) => {
    // Content-addressed and without secrets, but not public: any workload's token gives access.
    const token = readBearer(c);
    await tokens.verify("baram:workload", token).catch(() => tokens.verify("baram:task", token));
    const { hash } = c.req.param();
    const module = /^[0-9a-f]{64}$/.test(hash) ? await findModule(store, hash) : null;
    if (!module) throw new Refusal(404, "module_not_found", `There is no module ${hash}.`, { hash });
    return c.body(new Uint8Array(module.code), 200, {
      "content-type": "application/gzip",
      "x-baram-externals": JSON.stringify(module.externals),
    });
  });

  /** A callback's workload token is valid for that callback only. */
  async function callbackOf(id: string, token: string): Promise<string> {
    const { subject } = await tokens.verify("baram:workload", token);
    if (subject !== id) throw new Refusal(403, "token_of_another", "The token is for another workload.");
    return subject;
  }
}
