import type { Context, MiddlewareHandler } from "hono";
import { aloneMaxBytes } from "../contracts/index.ts";
import { limitBody, type VerifiedToken } from "../platform/index.ts";
import { findTryState } from "../store/index.ts";
import { Refusal } from "./refusal.ts";
import type { ApiResources, ExecutionApiOptions } from "./resources.ts";
import { bearerOf } from "./tokens.ts";

/**
 * The largest body of a call that names no other limit. Measured: a call of a task has 0.1 to 1 KB, unless it carries an XCom, a
 * variable or a run's conf.
 */
const CALL_MAX_BYTES = 1024 * 1024;
/** Bodies above the usual limit that are in memory at the same time. */
const LARGE_AT_ONCE = 4;

export type CallLimits = {
  usual: MiddlewareHandler;
  to(maxBytes: number): MiddlewareHandler;
  /**
   * Larger ones too, up to what [xcom] max_size_bytes makes of one try, but only with the size announced and the token of a try that
   * is there. Looked at before the body is read.
   */
  toOrAlone(maxBytes?: number): MiddlewareHandler;
};

export function createCallLimits(resources: ApiResources, options: ExecutionApiOptions): CallLimits {
  const aloneMax = aloneMaxBytes(options.xcomMaxBytes);
  /** The tries whose large bodies are in memory: one for each, so that no try keeps the others out. */
  const large = new Set<string>();
  const to = (maxBytes: number) => limitBody(maxBytes, (c) => refuse(c, maxBytes));

  async function checkOwner(c: Context, bearer: VerifiedToken): Promise<void> {
    // An end that was reported before, and whose answer was lost, is taken again.
    if (c.req.path.endsWith("/batch") && (await findTryState(resources.store, bearer.subject)) !== null) return;
    await resources.live.check(bearer);
  }

  return {
    usual: to(CALL_MAX_BYTES),
    to,
    toOrAlone(maxBytes = CALL_MAX_BYTES) {
      const usual = to(maxBytes);
      return async (c, next) => {
        const sizeBytes = announcedBytes(c);
        if (sizeBytes <= maxBytes) return usual(c, next);
        if (sizeBytes > aloneMax) return refuse(c, aloneMax);
        const bearer = await bearerOf(resources, c);
        if (bearer.audience !== "baram:task") throw tooLarge(maxBytes);
        if (large.size >= LARGE_AT_ONCE || large.has(bearer.subject))
          throw new Refusal(503, "busy", "The API has several large requests in hand. Send it again in a moment.");
        // Before the database is asked: others may come meanwhile.
        large.add(bearer.subject);
        try {
          await checkOwner(c, bearer);
          await next();
        } finally {
          large.delete(bearer.subject);
        }
      };
    },
  };
}

/** 0 if it is not announced: then the usual limit counts it. */
export function announcedBytes(c: Context): number {
  return c.req.header("transfer-encoding") === undefined ? Number(c.req.header("content-length") ?? 0) : 0;
}

function tooLarge(maxBytes: number): Refusal {
  const remedy = "Send less at once; a try's own call may be larger, as [xcom] max_size_bytes says.";
  return new Refusal(413, "body_too_large", `The request has more than ${maxBytes} bytes. ${remedy}`, { maxBytes });
}

/** `limitBody` takes an answer, and not an error. */
function refuse(c: Context, maxBytes: number): Response {
  const { code, message, facts } = tooLarge(maxBytes);
  c.header("connection", "close");
  return c.json({ detail: { reason: code, message, ...facts } }, 413);
}
