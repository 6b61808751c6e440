import type { Hono } from "hono";
import { pingDatabase } from "../../store/index.ts";
import type { Deps } from "./route.ts";

export function addHealthRoutes(app: Hono, { resources }: Deps): void {
  app.get("/health", (c) => c.json({ status: "healthy" }));

  // The services that answers depend on, split into healthy and failing, as in Airflow's registry.
  app.get("/health/ping", async (c) => {
    try {
      await pingDatabase(resources.store);
      return c.json({ ok: ["database"], failing: [] });
    } catch (error) {
      return c.json({ ok: [], failing: [{ database: error instanceof Error ? error.message : String(error) }] }, 500);
    }
  });
}
