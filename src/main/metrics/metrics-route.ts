import { createHash, timingSafeEqual } from "node:crypto";
import type { Hono } from "hono";
import { BaramError, type Tokens } from "../../platform/index.ts";
import { type KnownUsers, userOf } from "../../public-api/index.ts";
import type { PrometheusSink } from "./prometheus-sink.ts";

/** Whether a scrape with this `Authorization` header is answered. */
export type MayScrape = (authorization: string | undefined) => Promise<boolean>;

/** Adds GET /metrics in Prometheus's text format. */
export function addMetricsRoute(app: Hono, prometheus: PrometheusSink, isAllowed: MayScrape): void {
  app.get("/metrics", async (c) => {
    let allowed: boolean;
    try {
      allowed = await isAllowed(c.req.header("authorization"));
    } catch {
      return c.text("The user's token cannot be checked now. Try again, or use the one of [metrics] prometheus_token.\n", 503);
    }
    if (!allowed) {
      c.header("www-authenticate", 'Bearer realm="metrics"');
      return c.text("This needs a bearer token: that of [metrics] prometheus_token, or at the API server that of a user.\n", 401);
    }
    return c.text(await prometheus.expose(), 200, { "content-type": prometheus.contentType });
  });
}

/** With the token of [metrics] prometheus_token, or with that of any user, as every role may read. */
export function mayScrape(token: string | null, known?: { tokens: Tokens; users: KnownUsers }): MayScrape {
  return async (authorization) => {
    if (token !== null && isSame(authorization ?? "", `Bearer ${token}`)) return true;
    return known !== undefined && isUser(authorization, known);
  };
}

async function isUser(
  authorization: string | undefined,
  { tokens, users }: { tokens: Tokens; users: KnownUsers },
): Promise<boolean> {
  try {
    await userOf(authorization, tokens, users);
    return true;
  } catch (error) {
    if (error instanceof BaramError && error.code.startsWith("token_")) return false;
    throw error;
  }
}

/** In constant time, so that the duration does not reveal where the two differ. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
