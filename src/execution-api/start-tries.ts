import {
  type BatchItem,
  FAIL_METHOD,
  type JsonObject,
  type JsonValue,
  type Resume,
  type RunContext,
  type SerializedTask,
} from "../contracts/index.ts";
import { BaramError, toError } from "../platform/index.ts";
import { type DagVersion, isPoisoned, logPathOf } from "../scheduler/commands/index.ts";
import {
  type Cipher,
  findSmallInputs,
  type InputXcom,
  isDataFault,
  type StartedTry,
  startTries,
  type TryStart,
  triesByIds,
  type WantedXcom,
} from "../store/index.ts";
import { finishVerified } from "./finish-tries.ts";
import { unstorable } from "./limit-outcome.ts";
import { mapFactsOf } from "./map-facts.ts";
import { Refusal, workerNeeded } from "./refusal.ts";
import type { ApiResources, ExecutionApiOptions } from "./resources.ts";
import { replaceExpiredStart } from "./tokens.ts";

type Graph = DagVersion["graph"];
/**
 * The answer to a start includes inputs up to this size, which saves a round trip; larger ones are read in pages when the task
 * needs them.
 */
const CARRIED_MAX_BYTES = 256 * 1024;
/** Memory limit for the inputs of all tries of a batch. */
const CARRIED_BY_BATCH_MAX_BYTES = 16 * 1024 * 1024;

type RunItem = Extract<BatchItem, { op: "run" }>;

/**
 * Starts the tries whose workload token is valid for them. `isWorker`: the call's bearer is a worker's own token, without which a try
 * that went through a broker is not started.
 */
export async function startBatch(
  resources: ApiResources,
  options: ExecutionApiOptions,
  items: readonly RunItem[],
  isWorker: boolean,
): Promise<Map<string, RunContext | Refusal>> {
  const answers = new Map<string, RunContext | Refusal>();
  const allowed: RunItem[] = [];
  for (const item of items) {
    const refusal = await judgeStart(resources, item, isWorker);
    if (refusal === null) allowed.push(item);
    else answers.set(item.id, refusal);
  }
  for (const [id, answer] of await startVerified(resources, options, allowed)) answers.set(id, answer);
  return answers;
}

/** Why the workload's token does not start it, or null. */
export async function judgeStart(
  resources: ApiResources,
  { id, token }: Pick<RunItem, "id" | "token">,
  isWorker: boolean,
): Promise<Refusal | null> {
  try {
    const claims = await resources.tokens.verify("baram:workload", token);
    if (claims.subject !== id)
      return new Refusal(401, "token_invalid", "The workload's token is not valid for this try.", { id });
    return claims.needsWorker && !isWorker ? workerNeeded(id) : null;
  } catch (error) {
    if (!(error instanceof BaramError)) throw error;
    await replaceExpiredStart(resources, error, token);
    return new Refusal(401, error.code, `The workload's token is not valid for this try. ${error.message}`, { id });
  }
}

/** Moves tries from queued to running and gives each its context and token, or the reason why not. The caller has checked their tokens. */
export async function startVerified(
  resources: ApiResources,
  options: ExecutionApiOptions,
  starts: readonly TryStart[],
): Promise<Map<string, RunContext | Refusal>> {
  const { store, metrics, live } = resources;
  const answers = new Map<string, RunContext | Refusal>();
  if (starts.length === 0) return answers;
  const started = await startTries(store, starts);
  live.started(started.map(({ id }) => id));
  for (const { dagId: dag_id, taskId: task_id, queuedSec } of started) {
    if (queuedSec === null) continue;
    metrics.count("ti.start", { dag_id, task_id });
    metrics.time("task.queued_duration", { dag_id, task_id }, queuedSec);
  }
  for (const [id, answer] of await contextsApart(resources, options, started)) answers.set(id, answer);
  const missing = starts.filter((start) => !answers.has(start.id));
  if (missing.length > 0) await explainMissing(resources, missing, answers);
  return answers;
}

/**
 * The contexts of all started tries. If the values that a try needs, or its DAG version, cannot be read (an older release stored
 * what this one refuses), only that try fails, since it would never get them.
 */
async function contextsApart(
  resources: ApiResources,
  options: ExecutionApiOptions,
  started: readonly StartedTry[],
): Promise<Map<string, RunContext | Refusal>> {
  try {
    return await contextsOf(resources, options, started);
  } catch (error) {
    if (!isDataFault(error) && !isPoisoned(error)) throw error;
    const [one] = started;
    if (one === undefined || started.length > 1) {
      const answers = new Map<string, RunContext | Refusal>();
      for (const each of started)
        for (const [id, answer] of await contextsApart(resources, options, [each])) answers.set(id, answer);
      return answers;
    }
    const message = `What the task was to be given cannot be read: ${toError(error).message}`;
    await finishVerified(resources, options, [{ id: one.id, outcome: unstorable("InputsRefusedError", message) }]);
    return new Map([[one.id, new Refusal(409, "inputs_refused", message, { id: one.id })]]);
  }
}

async function contextsOf(
  { store, dags, tokens, cipher }: ApiResources,
  options: ExecutionApiOptions,
  started: readonly StartedTry[],
): Promise<Map<string, RunContext>> {
  const contexts = new Map<string, RunContext>();
  const wanted: WantedXcom[] = [];
  for (const one of started) {
    const { graph } = await dags.get(store, one.versionId);
    for (const input of inputsOf(graph, one)) wanted.push({ dagRunId: one.dagRunId, ...input });
  }
  const xcoms = await findSmallInputs(store, wanted, { inputBytes: CARRIED_MAX_BYTES, allBytes: CARRIED_BY_BATCH_MAX_BYTES });
  const maps = await mapFactsOf(store, dags, started);
  for (const one of started) {
    const { graph } = await dags.get(store, one.versionId);
    const task = graph.tasks[graph.indexOf.get(one.taskId) ?? -1];
    const inputs = carriedInputs(one, inputsOf(graph, one), xcoms);
    contexts.set(one.id, {
      ...contextOf(one),
      resume: resumeOf(one, cipher),
      executionTimeoutSec: task?.executionTimeoutSec ?? null,
      inputs,
      map: maps.get(one.id) ?? null,
      maxMapLength: options.maxMapLength,
      token: await tokens.sign(
        "baram:task",
        { subject: one.id, logPath: logPathOf(one), hasCallbacks: task !== undefined && runsCallbacks(task) },
        options.tokenTtlSec,
      ),
      xcomMaxBytes: options.xcomMaxBytes,
      templatedFieldMaxLength: options.templatedFieldMaxLength,
    });
  }
  return contexts;
}

/** Whether something may run in the task's process when its end is stored. */
function runsCallbacks({ callbacks }: SerializedTask): boolean {
  return callbacks.onSuccess || callbacks.onFailure || callbacks.onRetry || callbacks.onSkipped;
}

/** The XComs that a try's arguments need: in its own mapped group only those of its own index, of other mapped tasks all. */
function inputsOf(graph: Graph, { taskId, mapIndex }: StartedTry): Omit<WantedXcom, "dagRunId">[] {
  const number = graph.indexOf.get(taskId) ?? -1;
  return (graph.tasks[number]?.inputs ?? []).map((input) => {
    const isBeside = graph.besides[graph.indexOf.get(input.taskId) ?? -1]?.has(number) ?? false;
    return { ...input, mapIndex: isBeside && mapIndex >= 0 ? mapIndex : null };
  });
}

/** As many of the inputs found as fit into a start; of one input all instances or none. */
function carriedInputs({ dagRunId }: StartedTry, wanted: readonly Omit<WantedXcom, "dagRunId">[], found: readonly InputXcom[]) {
  let roomBytes = CARRIED_MAX_BYTES;
  return wanted.flatMap(({ taskId, key, mapIndex }) => {
    const values = found.filter(
      (x) => x.dagRunId === dagRunId && x.taskId === taskId && x.key === key && (mapIndex === null || x.mapIndex === mapIndex),
    );
    const sizeBytes = values.reduce((sum, one) => sum + one.sizeBytes, 0);
    if (sizeBytes > roomBytes) return [];
    roomBytes -= sizeBytes;
    return values.map((one) => ({ taskId, key, mapIndex: one.mapIndex, value: one.value }));
  });
}

async function explainMissing(
  resources: ApiResources,
  missing: readonly TryStart[],
  answers: Map<string, RunContext | Refusal>,
): Promise<void> {
  const facts = new Map(
    (
      await triesByIds(
        resources.store,
        missing.map((item) => item.id),
      )
    ).map((fact) => [fact.id, fact]),
  );
  for (const { id } of missing) {
    const fact = facts.get(id);
    answers.set(
      id,
      fact
        ? new Refusal(409, "invalid_state", `Try ${id} cannot start: it is ${fact.state ?? "not scheduled"}, not queued.`, {
            id,
            previous_state: fact.state,
          })
        : new Refusal(404, "try_not_found", `There is no try ${id}: it was taken back or its run was deleted.`, { id }),
    );
  }
}

function resumeOf(one: StartedTry, cipher: Cipher): Resume | null {
  const { nextMethod: method, nextKwargs, nextEvent, nextFailure } = one;
  if (method === null) return null;
  if (nextFailure === "timeout") {
    return failedResume("timeout", "the trigger did not fire within the deferral's timeout");
  }
  if (nextFailure !== null) return failedResume("failed", nextFailure);
  try {
    return {
      method,
      kwargs: nextKwargs === null ? {} : (JSON.parse(cipher.decrypt(nextKwargs)) as JsonObject),
      event: nextEvent === null ? null : (JSON.parse(cipher.decrypt(nextEvent)) as JsonValue),
      failure: null,
    };
  } catch (error) {
    // Only this try of the batch fails, with the reason.
    return failedResume("failed", toError(error).message);
  }
}

function failedResume(kind: "timeout" | "failed", message: string): Resume {
  return { method: FAIL_METHOD, kwargs: {}, event: null, failure: { kind, message } };
}

function contextOf(
  one: StartedTry,
): Omit<RunContext, "token" | "inputs" | "map" | "maxMapLength" | "executionTimeoutSec" | "xcomMaxBytes" | "resume"> {
  return {
    dagRun: { dagId: one.dagId, runId: one.runId, ...one.run },
    maxTries: one.maxTries,
    shouldRetry: one.tryNumber <= one.maxTries,
    taskRescheduleCount: one.rescheduleCount,
    ...(one.isNoted ? { isLogBegun: true } : {}),
    startDate: one.startDate.toISOString(),
  };
}
