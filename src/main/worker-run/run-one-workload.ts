import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, EVERYTHING, environmentForUserCode } from "../../config/index.ts";
import { type Workload, workloadId } from "../../contracts/index.ts";
import { BaramError, type Logger, toError } from "../../platform/index.ts";
import { createSupervisor, type WorkloadEnd } from "../../worker/supervisor/index.ts";
import { moduleFolder } from "../accounts.ts";
import { baseUrl } from "../base-url.ts";
import { supervisorOptionsElsewhere } from "../supervisor-options.ts";

export type RunOneOptions = {
  config: Config;
  /** Baram's API, without the path of the execution API. Left out: [api] base_url. */
  apiUrl?: string;
  logger: Logger;
  /** Stops the task: its end is reported as a retryable failure with the signal's reason, within about 25 s. */
  stop?: AbortSignal;
  /** Module cache for later workloads on this machine; left out: none. */
  cacheFolder?: string;
};

/**
 * The grace period of a task that is asked to stop; the rest of the 30 s that containers are given is for reporting its end and
 * shipping its log.
 */
const STOP_GRACE_MAX_SEC = 15;
/** A task's callbacks run after its end was reported; the supervisor has a shorter limit for them. */
const CALLBACKS_MS = 310_000;

/**
 * A worker that never reaches the API gives up before the scheduler takes its try back after [scheduler] task_queued_timeout, which has
 * the same default: then the executor sees its exit code, and the reason is in the log of the try.
 */
const FIRST_CONTACT_PART = 0.75;

type Left = { end: WorkloadEnd } | { notStarted: string };

/**
 * Runs one workload in its own runner, without a database. Returns when its end is stored, its callbacks have run and its log is at
 * the log store, with one sentence about it, whatever the task's outcome was.
 *
 * Throws `api_url_missing`, `workload_refused` (the token is not for this workload, or it is already running),
 * `workload_not_started`, and `outcome_not_reported`.
 */
export async function runOneWorkload(workload: Workload, options: RunOneOptions): Promise<string> {
  const apiUrl = checkUrl(options.apiUrl ?? baseUrl(options.config));
  options.logger.info({ id: workloadId(workload), url: `${apiUrl}/execution` }, "the worker asks the API to start its workload");
  const temporary = mkdtempSync(join(tmpdir(), "baram-worker-"));
  try {
    return sentenceOf(workload, await leave(workload, apiUrl, temporary, options));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function leave(
  workload: Workload,
  apiUrl: string,
  temporary: string,
  { config, logger, stop, cacheFolder }: RunOneOptions,
): Promise<Left> {
  let onLeft: (left: Left) => void = () => {};
  const left = new Promise<Left>((resolve) => {
    onLeft = resolve;
  });
  const common = supervisorOptionsElsewhere(config, apiUrl, 1, temporary);
  const supervisor = createSupervisor(
    {
      ...common,
      // A machine may run several, and process ids in containers are not unique: this name tells them apart, so that the API lets a
      // workload that was handed over twice run once.
      hostname: `${hostname()}/${randomBytes(4).toString("hex")}`,
      ...(cacheFolder === undefined ? {} : { cacheFolder: moduleFolder(config, cacheFolder) }),
      moduleWindowSec: config.workers.execution_api_retry_window * FIRST_CONTACT_PART,
      // Its log is all that shows what a container is doing.
      tellOutageEverySec: 10,
      killGraceSec: Math.min(config.core.killed_task_cleanup_time, STOP_GRACE_MAX_SEC),
      freshProcessPerTry: true,
      environment: environmentForUserCode(EVERYTHING),
    },
    { done: (_, end) => onLeft({ end }), notStarted: (_, reason) => onLeft({ notStarted: reason }) },
    logger,
  );
  let onStopped: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    onStopped = resolve;
  });
  const onStop = () => {
    const reason = toError(stop?.reason).message;
    void supervisor.drain(0, reason).then(() => {
      // What could not be reported in time is not reported.
      onLeft({ end: { how: "unreported", message: reason } });
      onStopped();
    });
  };
  stop?.addEventListener("abort", onStop, { once: true });
  try {
    supervisor.accept([workload]);
    if (stop?.aborted) onStop();
    const how = await left;
    await Promise.race([supervisor.drain(CALLBACKS_MS), stopped]);
    return how;
  } finally {
    stop?.removeEventListener("abort", onStop);
  }
}

function checkUrl(apiUrl: string | null): string {
  if (apiUrl === null)
    throw new BaramError(
      "api_url_missing",
      "Nothing says where Baram's API is: give --api-url, or set [api] base_url (BARAM__API__BASE_URL).",
    );
  if (URL.canParse(apiUrl) && /^https?:$/.test(new URL(apiUrl).protocol)) return apiUrl.replace(/\/+$/, "");
  throw new BaramError("api_url_missing", `"${apiUrl}" is no URL of an API. It looks like https://baram.example.org.`, {
    apiUrl,
  });
}

function sentenceOf(workload: Workload, left: Left): string {
  const what = nameOf(workload);
  if ("notStarted" in left) throw new BaramError("workload_not_started", `${what} was not started: ${left.notStarted}`);
  const { end } = left;
  if (end.how === "reported") return `${what} has ended, and its end is stored.`;
  if (end.how === "unreported")
    throw new BaramError("outcome_not_reported", `${what}: its end could not be told to the API: ${end.message}`);
  if (end.status === 401 || end.status === 403) throw new BaramError("workload_refused", `${what} was refused: ${end.message}`);
  if (end.previousState === "running")
    throw new BaramError("workload_refused", `${what} runs already: its token was used before, by another worker.`);
  return `${what} is not this worker's, so there is nothing to do: ${end.message}`;
}

function nameOf(workload: Workload): string {
  if (workload.type === "Probe") return `Check ${workload.probeId}`;
  if (workload.type === "ExecuteCallback") return `Callback ${workload.callbackId}`;
  const { tryNumber, taskId, runId, dagId } = workload.ti;
  return `Try ${tryNumber} of task "${taskId}" of run "${runId}" of DAG "${dagId}"`;
}
