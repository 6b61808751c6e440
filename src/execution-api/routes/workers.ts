/** Queue workers' own call, below /execution/baram: a worker updates its row, and is answered with the changes that users requested. */
import type { Hono } from "hono";
import { type WorkerAnswer, workerNameSchema, workerReportSchema } from "../../contracts/index.ts";
import { beatWorker } from "../../store/index.ts";
import { check, readBody } from "../read-request.ts";
import { readBearer } from "../tokens.ts";
import type { Deps } from "./route.ts";

export function addWorkerCalls(app: Hono, { resources, options }: Deps): void {
  const { store, tokens } = resources;

  app.post("/baram/workers/:name/heartbeat", async (c) => {
    await tokens.verify("baram:worker", readBearer(c));
    const name = check(workerNameSchema, c.req.param("name"), "path");
    const report = await readBody(c, workerReportSchema);
    const { requested, holder } = await beatWorker(store, name, report, options.workerLostAfterSec);
    if (requested) return c.json({ isYours: true, ...requested } satisfies WorkerAnswer);
    // The holder may have gone between the two statements; the worker asks again a moment later.
    const other = holder ?? { instance: report.instance, hostname: "unknown", pid: 0, silentForSec: 0 };
    return c.json({ isYours: false, holder: other } satisfies WorkerAnswer);
  });
}
