import type { Context } from "hono";
import type { TokenClaims } from "../platform/index.ts";
import { Refusal } from "./refusal.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";

/** A worker that was cut off from the API for a while reports with an expired token; the try's id still fences it. */
export const OVERDUE_SEC = 3_600;

export function readBearer(c: Context): string {
  const [scheme, token] = (c.req.header("authorization") ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || !token) throw new Refusal(401, "token_missing", "A task's token is needed.");
  return token;
}

/** A new token for a running try whose current one, with these claims, has less than half of its lifetime left; else null. */
export async function renewToken(
  { tokens, clock }: ExecutionApiResources,
  { tokenTtlSec }: ExecutionApiOptions,
  { expiresAt, ...claims }: TokenClaims & { expiresAt: number | null },
): Promise<string | null> {
  if (expiresAt === null || expiresAt - clock.now() / 1_000 >= tokenTtlSec / 2) return null;
  return tokens.sign("baram:task", claims, tokenTtlSec);
}
