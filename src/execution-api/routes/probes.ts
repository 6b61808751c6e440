/**
 * What the worker of a check calls (`baram executors check`), below /execution/baram. The check's row in the database is what its token
 * is good for: the command makes it, and removes it at its end.
 */
import type { Hono } from "hono";
import { z } from "zod";
import { type Probe, probeLogLine, probeLogPath, storableTextSchema } from "../../contracts/index.ts";
import { toError } from "../../platform/index.ts";
import { endProbe, startProbe } from "../../store/index.ts";
import type { CallLimits } from "../limit-calls.ts";
import { readBody } from "../read-request.ts";
import { Refusal, workerNeeded } from "../refusal.ts";
import type { ApiResources } from "../resources.ts";
import { bearerOf, readBearer } from "../tokens.ts";
import type { Deps } from "./route.ts";

/** Measured: 0.5 KB with a token. */
const PROBE_MAX_BYTES = 128 * 1024;
/** From its start to its end: the worker writes a line of log. */
const LOG_TOKEN_SEC = 600;
/** More than the one line that a probe writes. */
const LOG_MAX_BYTES = 64 * 1024;

const startSchema = z.object({ token: z.string(), hostname: storableTextSchema(255), version: storableTextSchema(100) });
const endSchema = z.object({ logFault: storableTextSchema(1_000).nullable() });

export function addProbeCalls(app: Hono, { resources }: Deps, limits: CallLimits): void {
  const { store, tokens } = resources;

  app.post("/baram/probes/:id/start", limits.to(PROBE_MAX_BYTES), async (c) => {
    const id: Probe["probeId"] = c.req.param("id");
    // As for a callback: the bearer is the check's own token, or that of a queue worker.
    const isWorker = (await bearerOf(resources, c)).audience === "baram:worker";
    if (!isWorker) await tokens.verify("baram:probe", readBearer(c));
    const { token, hostname, version } = await readBody(c, startSchema);
    const claims = await tokens.verify("baram:probe", token);
    if (claims.subject !== id || claims.logPath !== undefined)
      throw new Refusal(403, "token_of_another", "The token is not the start token of this check.");
    if (claims.needsWorker && !isWorker) throw workerNeeded(id);
    if (!(await startProbe(store, id, { hostname, version }))) throw noProbe(id);
    return c.json({ token: await tokens.sign("baram:probe", { subject: id, logPath: probeLogPath(id) }, LOG_TOKEN_SEC) });
  });

  app.post("/baram/probes/:id/end", limits.to(PROBE_MAX_BYTES), async (c) => {
    const { subject: id, logPath } = await tokens.verify("baram:probe", readBearer(c));
    if (id !== c.req.param("id") || logPath !== probeLogPath(id))
      throw new Refusal(403, "token_of_another", "The token is not that of this check while it runs.");
    const { logFault } = await readBody(c, endSchema);
    const fault = logFault ?? (await findLine(resources, id));
    if (!(await endProbe(store, id, fault))) throw noProbe(id);
    return c.json({});
  });
}

function noProbe(id: string): Refusal {
  const message = `No check ${id} of an executor waits for this worker: it is over, or another worker has answered it.`;
  return new Refusal(404, "probe_not_found", message, { id });
}

/** Why the probe's line cannot be read where users read logs; null = it can. */
async function findLine({ logStore }: ApiResources, id: string): Promise<string | null> {
  try {
    const { lines } = await logStore.read(probeLogPath(id), 0, LOG_MAX_BYTES);
    if (lines?.some(({ event }) => event === probeLogLine(id))) return null;
    return `the worker wrote its log, and the API server does not find it in ${logStore.source}: worker and API server must use the same [logging] options, and a local executor the same base_log_folder`;
  } catch (error) {
    return `the API server cannot read the log store ${logStore.source}: ${toError(error).message}`.slice(0, 1_000);
  }
}
