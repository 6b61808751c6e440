import type { Context, MiddlewareHandler } from "hono";
import { BaramError, type TokenAudience, type VerifiedToken } from "../platform/index.ts";
import { requeueTries } from "../store/index.ts";
import { Refusal } from "./refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";

/** A worker that was cut off from the API for a while reports with an expired token; the try's id still fences it. */
export const OVERDUE_SEC = 3_600;
/** How long a task's callbacks may make calls after its end is stored: the supervisor ends them after 300 s. */
export const CALLBACKS_SEC = 330;

const BEARERS: readonly TokenAudience[] = ["baram:task", "baram:workload", "baram:worker", "baram:probe"];

export function readBearer(c: Context): string {
  const [scheme, token] = (c.req.header("authorization") ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token) throw new Refusal(401, "token_missing", "A task's token is needed.");
  return token;
}

/**
 * The call's bearer token, of whatever kind: who asks is no stranger. What it may do is for the call to judge. Only the token of a try
 * that has started may be overdue.
 */
export async function bearerOf({ tokens }: ExecutionApiResources, c: Context): Promise<VerifiedToken> {
  const token = readBearer(c);
  const claims = await tokens.verify(BEARERS, token, OVERDUE_SEC);
  return claims.audience === "baram:task" ? claims : tokens.verify(claims.audience, token);
}

/** Nothing of a stranger's request is read, and no path is told apart from another one. */
export function keepOutStrangers(resources: ExecutionApiResources): MiddlewareHandler {
  return async (c, next) => {
    try {
      await bearerOf(resources, c);
    } catch (error) {
      await replaceExpiredStart(resources, error, readBearer(c));
      throw error;
    }
    return next();
  };
}

/**
 * A workload that waited for longer than its token lives, in a broker or while the API was away: its try is put back, and handed out
 * again under a new id with a new token. Harmless for one that is not queued under this id any more. A callback has no new id; the
 * scheduler hands it out again when it was silent for too long.
 */
export async function replaceExpiredStart(
  { tokens, store, logger }: ExecutionApiResources,
  error: unknown,
  token: string,
): Promise<void> {
  if (!(error instanceof BaramError) || error.code !== "token_expired") return;
  const start = await tokens.verify("baram:workload", token, Number.POSITIVE_INFINITY).catch(() => null);
  if (start === null || (await requeueTries(store, [start.subject])) === 0) return;
  logger.warn({ id: start.subject }, "a queued try outlived its start token ([workers] start_token_ttl); it is queued again");
}

/** A new token for a running try whose current one, with these claims, has less than half of its lifetime left; else null. */
export async function renewToken(
  { tokens, clock }: ExecutionApiResources,
  { tokenTtlSec }: ExecutionApiOptions,
  claims: VerifiedToken,
): Promise<string | null> {
  if (claims.expiresAt - clock.now() / 1_000 >= tokenTtlSec / 2) return null;
  return tokens.sign("baram:task", claims, tokenTtlSec);
}
