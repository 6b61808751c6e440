import { createHash, timingSafeEqual } from "node:crypto";
import type { Hono } from "hono";
import type { PrometheusSink } from "./prometheus-sink.ts";

/** Adds GET /metrics in Prometheus's text format. `token` null = without one; see the options of [metrics]. */
export function addMetricsRoute(app: Hono, prometheus: PrometheusSink, token: string | null): void {
  app.get("/metrics", async (c) => {
    if (token !== null && !isSame(c.req.header("authorization") ?? "", `Bearer ${token}`)) {
      c.header("www-authenticate", 'Bearer realm="metrics"');
      return c.text("This needs the bearer token of [metrics] prometheus_token.\n", 401);
    }
    return c.text(await prometheus.expose(), 200, { "content-type": prometheus.contentType });
  });
}

/** In constant time, so that the duration does not reveal where the two differ. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
