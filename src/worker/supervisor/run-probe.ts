/**
 * Answers `baram executors check`: does what every workload needs (reach the API, be let in, get a log to where it is read) and no
 * more. No runner starts.
 */
import { hostname as hostnameOfMachine } from "node:os";
import { type Probe, probeLogLine, probeLogPath } from "../../contracts/index.ts";
import { createMasker, toError } from "../../platform/index.ts";
import { createLogWriter, type LogSink, platformLine } from "../../task-logs/index.ts";
import { isOwnRefusal } from "./api-answer.ts";
import { type ApiClient, askAgain } from "./api-client.ts";
import { newAttempt } from "./attempt.ts";
import type { SupervisorOptions } from "./options.ts";
import type { Shipping } from "./shipping.ts";
import { refusalOf, type WorkloadEnd } from "./workload-end.ts";

type Resources = { client: ApiClient; shipping: Shipping; logs: LogSink; hostname: string; options: SupervisorOptions };

/** Somebody waits for the answer. */
const SHIP_MS = 20_000;

/** What the API takes of it. */
const FAULT_MAX = 1_000;

/** Rejects if the API cannot be reached, or something else answers in its place. */
export async function runProbe(probe: Probe, resources: Resources): Promise<WorkloadEnd> {
  const { client, hostname, options } = resources;
  const path = `baram/probes/${probe.probeId}`;
  const again = { windowMs: options.moduleWindowSec * 1_000, outage: client.outage, what: "answer a check of the executor" };
  try {
    const facts = { token: probe.token, hostname: hostname || hostnameOfMachine(), version: options.version };
    const bearer = () => client.workerToken ?? probe.token;
    const { token } = await askAgain(() => client.post<{ token: string }>(`${path}/start`, facts, bearer()), again);
    const fault = await writeLog(probe, token, resources).catch((error: unknown) => toError(error).message);
    await askAgain(() => client.post(`${path}/end`, { logFault: fault?.slice(0, FAULT_MAX) ?? null }, token), again);
    return { how: "reported" };
  } catch (error) {
    if (isOwnRefusal(error)) return refusalOf(error);
    throw error;
  }
}

/** Why its line is not at the log store, as far as is known here; null = it should be there. */
async function writeLog({ probeId }: Probe, token: string, { shipping, logs, options }: Resources): Promise<string | null> {
  const { remoteLogs } = options;
  if (remoteLogs?.kind === "s3" && remoteLogs.connId !== null)
    return `not tried: the connection "${remoteLogs.connId}" of [logging] remote_log_conn_id is read with the token of a task`;
  let fault: string | null = null;
  const path = probeLogPath(probeId);
  const log = createLogWriter({
    sink: logs,
    path,
    maxLineBytes: options.maxLineBytes,
    maxFileBytes: options.maxFileBytes,
    masker: () => NOTHING,
    onFault: (error) => {
      fault = `the worker cannot write ${path} in its log folder: ${error.message}`;
    },
  });
  log.write(platformLine("info", probeLogLine(probeId)));
  // For shipping it is like a callback: a log of its own, found by a unique id.
  const workload = { type: "ExecuteCallback" as const, token, callbackId: probeId, moduleHash: "", logPath: path };
  const attempt = newAttempt(workload, "", log);
  attempt.shipper = shipping.begin(attempt);
  const { shipper } = attempt;
  await log.flush();
  if (shipper !== null && fault === null) {
    const lostBytes = await shipper.end(SHIP_MS);
    if (lostBytes > 0) return `its worker could not ship ${lostBytes} bytes of log to the log store; its own log says why`;
  }
  return fault;
}

const NOTHING = createMasker();
