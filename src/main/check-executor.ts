/**
 * `baram executors check`: sends one executor a probe, as a scheduler sends it a task, and says how far it comes. A check is left at its
 * first fault:
 * - launch: the executor starts here with the scheduler's configuration, and its outside system accepts the probe;
 * - reach: the probe's worker has called the execution API with its token;
 * - log: a line that the worker wrote is where the API reads logs.
 */
import { randomUUID } from "node:crypto";
import { type Config, readJwtSecret } from "../config/index.ts";
import type { Probe } from "../contracts/index.ts";
import type { Executor } from "../executors/index.ts";
import { createTokens, type Logger, silentLogger, sleep, toError } from "../platform/index.ts";
import { findProbe, insertProbe, removeProbe, type Store } from "../store/index.ts";
import { createApiClient, createOutageTeller } from "../worker/supervisor/index.ts";
import { createExecutors, EXECUTOR_KINDS } from "./executors.ts";
import { createConnectionFinder } from "./find-connection.ts";

export type CheckStep = "launch" | "reach" | "log";
/** `ok` null: it could not be looked at, which is no fault. */
export type CheckLine = { step: CheckStep; ok: boolean | null; text: string };

export type CheckOptions = {
  config: Config;
  store: Store;
  /** Baram's API, as workers reach it. */
  apiUrl: string;
  /** Of an executor with queues. */
  queue: string;
  timeoutSec: number;
  logger: Logger;
  /** Called with each line as it is known. */
  onLine(line: CheckLine): void;
};

/**
 * Rejects for anything but the probe: a failure in a queue of results that running schedulers read is theirs, and an executor deletes
 * what it has an answer for.
 */
const endedOnlyOf = (probeId: string) => async (_executor: string, ids: readonly string[]) => {
  if (ids.some((id) => id !== probeId)) throw new Error("this command knows only its own probe");
  return [];
};
const LOOK_EVERY_MS = 200;
/** Stopping what was launched takes a request to the outside system. */
const REVOKE_MS = 2_000;
const END_GRACE_MS = 5_000;
/** The worker may have to repeat calls until the time is over. */
const TOKEN_MARGIN_SEC = 60;
/** What a worker says if a step cannot be looked at. */
const NOT_TRIED = "not tried: ";

/** Whether no step has a fault. `name`: the full name of a configured executor. */
export async function checkExecutor(name: string, options: CheckOptions): Promise<boolean> {
  const { config, store, logger, apiUrl } = options;
  const tell = (step: CheckStep, ok: boolean | null, text: string) => {
    options.onLine({ step, ok, text });
    return ok !== false;
  };
  const id = randomUUID();
  const around = { apiUrl, findConnection: createConnectionFinder(config, store), findEnded: endedOnlyOf(id), logger };
  let executor: Executor | undefined;
  try {
    const alone = { ...config, core: { ...config.core, executor: name } };
    executor = createExecutors(alone, around, () => {}).get(name);
    await executor?.start();
  } catch (error) {
    return tell("launch", false, toError(error).message);
  }
  if (!executor) return tell("launch", false, `there is no executor ${name}`);
  try {
    await insertProbe(store, id, name);
    return await follow(executor, await makeProbe(executor, id, options), options, tell);
  } finally {
    await removeProbe(store, id).catch((error: Error) => logger.warn({ error: error.message }, "a check left its row behind"));
    await executor.end(END_GRACE_MS);
  }
}

async function makeProbe(executor: Executor, probeId: string, { config, queue, timeoutSec }: CheckOptions): Promise<Probe> {
  const tokens = createTokens(readJwtSecret(config, { make: false }));
  const claims = { subject: probeId, needsWorker: executor.isStartedByWorkers === true };
  const token = await tokens.sign("baram:probe", claims, timeoutSec + TOKEN_MARGIN_SEC);
  return { type: "Probe", token, probeId, queue };
}

type Tell = (step: CheckStep, ok: boolean | null, text: string) => boolean;

async function follow(executor: Executor, probe: Probe, options: CheckOptions, tell: Tell): Promise<boolean> {
  const { store, timeoutSec } = options;
  const { launches, whenSilent } = EXECUTOR_KINDS[executor.name]?.check ?? { launches: false, whenSilent: "" };
  const startedMs = performance.now();
  const sec = () => ((performance.now() - startedMs) / 1_000).toFixed(1);
  let isLaunched = false;
  let hasReached = false;
  const launchOk = (text: string) => {
    if (!isLaunched) tell("launch", true, text);
    isLaunched = true;
  };
  const notReached = async (why: string) => {
    launchOk("accepted");
    return tell("reach", false, `${sentence(why)} ${whenSilent} ${await lookFromHere(options, probe)}`);
  };
  executor.queue([probe]);
  while (performance.now() - startedMs < timeoutSec * 1_000) {
    const events = executor.takeEvents().filter(({ id }) => id === probe.probeId);
    for (const event of events) if (event.kind === "launched") launchOk(`${event.externalExecutorId} (${sec()} s)`);
    const row = await findProbe(store, probe.probeId);
    if (row && row.hostname !== null && !hasReached) {
      launchOk(`handed to a worker (${sec()} s)`);
      hasReached = tell("reach", true, `worker ${row.hostname}, Baram ${row.version ?? "?"} (${sec()} s)`);
    }
    if (row && row.hasLog !== null) return judgeLog(row.logFault, tell, sec());
    const end = events.find(({ kind }) => kind === "not_started" || kind === "lost" || kind === "refused");
    // A worker that has reached the API may end before its last call is seen here.
    if (end && !hasReached) {
      const reason = "reason" in end && end.reason ? end.reason : end.kind;
      if (end.kind === "refused" || (launches && !isLaunched)) return tell("launch", false, reason);
      return notReached(reason);
    }
    await sleep(LOOK_EVERY_MS);
  }
  const state = executor.describe?.(probe.probeId) ?? null;
  executor.revoke(probe.probeId);
  await sleep(REVOKE_MS);
  if (hasReached)
    return tell("log", false, `the worker did not write its log and say so within ${timeoutSec} s; its own log says why`);
  const more = state === null ? "" : `: ${state}`;
  if (launches && !isLaunched) return tell("launch", false, `it was not launched within ${timeoutSec} s${more}`);
  return notReached(`no worker reached the API at ${options.apiUrl} within ${timeoutSec} s${more}`);
}

function judgeLog(fault: string | null, tell: Tell, sec: string): boolean {
  if (fault === null) return tell("log", true, `its line is at the log store (${sec} s)`);
  return fault.startsWith(NOT_TRIED) ? tell("log", null, fault) : tell("log", false, fault);
}

const sentence = (text: string) => (/[.)]$/.test(text) ? text : `${text}.`);

/** Whether the API answers this machine, and takes the secret that the probe is signed with. */
async function lookFromHere({ apiUrl }: CheckOptions, { token }: Probe): Promise<string> {
  const url = `${apiUrl}/execution`;
  const outage = createOutageTeller({ url, everyMs: 0, logger: silentLogger });
  const client = createApiClient(url, { outage });
  try {
    await client.post("baram/heartbeat", { tries: [] }, token);
    return "From this machine the API answers under that URL.";
  } catch (error) {
    return `From this machine: ${outage.explain(error)}`;
  } finally {
    client.close();
  }
}
