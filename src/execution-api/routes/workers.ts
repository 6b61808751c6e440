/** Queue workers' own call, below /execution/baram: a worker updates its row, and is answered with the changes that users requested. */
import type { Hono } from "hono";
import { isGranted, type WorkerAnswer, workerNameSchema, workerReportSchema } from "../../contracts/index.ts";
import { beatWorker } from "../../store/index.ts";
import type { CallLimits } from "../limit-calls.ts";
import { check, readBody } from "../read-request.ts";
import { Refusal } from "../refusal.ts";
import { readBearer } from "../tokens.ts";
import type { Deps } from "./route.ts";

/** Measured: 0.3 KB; with 100 queues of the longest names 21 KB. */
const WORKER_REPORT_MAX_BYTES = 128 * 1024;

export function addWorkerCalls(app: Hono, { resources, options }: Deps, limits: CallLimits): void {
  const { store, tokens } = resources;

  app.post("/baram/workers/:name/heartbeat", limits.to(WORKER_REPORT_MAX_BYTES), async (c) => {
    const { subject: grant } = await tokens.verify("baram:worker", readBearer(c));
    const name = check(workerNameSchema, c.req.param("name"), "path");
    if (!isGranted(grant, name)) {
      const message = `The token is for the worker "${grant}", and not for "${name}". Make one with: baram worker token --name ${name}`;
      throw new Refusal(403, "token_of_another_worker", message, { grant, name });
    }
    const report = await readBody(c, workerReportSchema);
    const { requested, holder } = await beatWorker(store, name, report, options.workerLostAfterSec);
    if (requested) return c.json({ isYours: true, ...requested } satisfies WorkerAnswer);
    // The holder may have gone between the two statements; the worker asks again a moment later.
    const other = holder ?? { instance: report.instance, hostname: "unknown", pid: 0, silentForSec: 0 };
    return c.json({ isYours: false, holder: other } satisfies WorkerAnswer);
  });
}
