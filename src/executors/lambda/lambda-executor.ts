/**
 * Runs each workload by an asynchronous invocation of one Lambda function. A workload is in one of two states, and counts towards
 * `parallelism` in both:
 * - in the launch queue: Invoke has not answered yet. It becomes `invoked`, is refused, or is returned when this scheduler stops;
 * - `invoked`: Lambda has the event. It ends with a message in the result queue or the dead-letter queue, or when the database says
 *   that the try has ended, since another scheduler may have received the message. If it never ends, its slot is freed when the
 *   function's timeout is over, and it is removed when Lambda cannot deliver its event any more: missing heartbeats then fail the
 *   try. The outcome of a try comes through the execution API, never from here.
 *
 * Lambda has no idempotency key, and sometimes delivers an event twice. The API lets only one of them start: each invocation has
 * its own name. A running function cannot be stopped; a try that was requeued is refused when it reports.
 */
import { type Workload, workloadId } from "../../contracts/index.ts";
import { BaramError, type Logger, sleep, toError } from "../../platform/index.ts";
import type { AwsAccess } from "../aws/client-settings.ts";
import { createLaunchQueue, type Launch } from "../aws/launch-queue.ts";
import type { Executor, ExecutorEvent, ExecutorOptions, FindEnded } from "../contract.ts";
import { checkLambda } from "./check-lambda.ts";
import { composePayload, type InvocationResult, LAMBDA_MAX_SEC, readDeadEvent, readResult } from "./invocation.ts";
import { connectLambda, type LambdaApi } from "./lambda-api.ts";
import { createResultReceiver } from "./result-receiver.ts";

export type LambdaExecutorOptions = ExecutorOptions &
  AwsAccess & {
    functionName: string;
    qualifier: string | null;
    queueUrl: string;
    deadLetterQueueUrl: string | null;
    /** The URL under which functions reach Baram's API. */
    apiUrl: string;
    maxInvokeAttempts: number;
    invokePerSec: number;
    retryDelayMs(failed: number): number;
    endWaitMs: number;
    findEnded: FindEnded;
    /** How often the database is asked which of the invoked tries have ended. */
    endedCheckMs: number;
    checkHealthOnStartup: boolean;
  };

/** Lambda delivers an event at most three times, minutes apart. */
const DELIVERIES = 3;
const BETWEEN_DELIVERIES_SEC = 180;
/** From the invocation to the function's start, and from its end to its message. */
const ON_THE_WAY_SEC = 60;
/** Recently handled results, by id: a duplicate counts once, and a result may arrive before Invoke's answer. */
const REMEMBERED_MAX = 10_000;

export function createLambdaExecutor(options: LambdaExecutorOptions, logger: Logger): Executor {
  const { name } = options;
  /** By id: when it was invoked. */
  const invoked = new Map<string, number>();
  const handled = new Set<string>();
  let events: ExecutorEvent[] = [];
  let connected: LambdaApi | null = null;
  let timeoutSec = LAMBDA_MAX_SEC;
  let isEnding = false;
  let watching: Promise<void> | null = null;
  const closing = new AbortController();

  const api = (): LambdaApi => {
    if (connected) return connected;
    throw new BaramError("aws_check_failed", `${name} was not started.`, { name });
  };
  const emit = (...told: ExecutorEvent[]) => {
    if (told.length === 0) return;
    events.push(...told);
    options.onEvent();
  };
  const giveBack = (workload: Workload): ExecutorEvent => ({
    id: workloadId(workload),
    kind: "not_started",
    reason: "the scheduler is shutting down",
  });

  const launches = createLaunchQueue({
    launch,
    renew: () => api().renew(),
    maxAttempts: options.maxInvokeAttempts,
    perSec: options.invokePerSec,
    retryDelayMs: options.retryDelayMs,
    on: {
      launched(workload, requestId, isDropped) {
        const id = workloadId(workload);
        emit({ id, kind: "launched", externalExecutorId: requestId });
        // Its result may arrive before Invoke's answer.
        if (!isDropped && !handled.has(id)) watch(id);
      },
      refused: (workload, reason) => emit({ id: workloadId(workload), kind: "refused", reason: `${name}: ${reason}` }),
      health: () => options.onEvent(),
    },
    logger,
  });

  async function launch(workload: Workload): Promise<Launch> {
    const composed = composePayload(workload, options);
    if (typeof composed === "string") return { kind: "refused", reason: composed };
    return { kind: "launched", externalExecutorId: await api().invoke(composed.payload) };
  }

  function watch(id: string): void {
    forgetOld();
    invoked.set(id, Date.now());
    startWatching();
    for (const receiver of receivers) receiver.wake();
  }

  /** In the order of invocation, so the loop stops at the first recent one. */
  function forgetOld(): void {
    const olderThanMs = Date.now() - (timeoutSec * DELIVERIES + BETWEEN_DELIVERIES_SEC) * 1_000;
    for (const [id, sinceMs] of invoked) {
      if (sinceMs > olderThanMs) return;
      invoked.delete(id);
      logger.warn({ id }, "a function sent no result within its time limit; the try is watched by its heartbeats");
    }
  }

  function placesTaken(): number {
    forgetOld();
    const olderThanMs = Date.now() - (timeoutSec + ON_THE_WAY_SEC) * 1_000;
    let taken = launches.size();
    for (const sinceMs of invoked.values()) if (sinceMs > olderThanMs) taken++;
    return taken;
  }

  function settle(id: string): void {
    invoked.delete(id);
    handled.add(id);
    const [oldest] = handled;
    if (handled.size > REMEMBERED_MAX && oldest !== undefined) handled.delete(oldest);
    options.onEvent();
  }

  function finish({ task_key: id, return_code: code, reason }: InvocationResult): void {
    settle(id);
    if (code !== 0) emit({ id, kind: "lost", reason: reason ?? `its function ended with code ${code} and gave no reason` });
  }

  /**
   * Also results of tries that another scheduler invoked. One without a failure only frees a slot, which that scheduler does when the
   * database says that the try has ended; a failure is reported if the try is open.
   */
  async function handle(results: readonly InvocationResult[]): Promise<Set<InvocationResult>> {
    const done = new Set<InvocationResult>();
    const foreign: InvocationResult[] = [];
    for (const result of results) {
      const { task_key: id, return_code: code } = result;
      const isOurs = invoked.has(id) || launches.has(id);
      if (!isOurs && !handled.has(id) && code !== 0) foreign.push(result);
      else done.add(result);
      if (isOurs && !handled.has(id)) finish(result);
    }
    if (foreign.length === 0) return done;
    try {
      const over = new Set(await options.findEnded(foreign.map(({ task_key: id }) => id)));
      for (const result of foreign) {
        done.add(result);
        if (!over.has(result.task_key)) finish(result);
      }
    } catch (error) {
      logger.debug(
        { error: toError(error).message },
        "whether failed functions' tries are open is not known; asking again later",
      );
    }
    return done;
  }

  async function watchEnded(): Promise<void> {
    while (invoked.size > 0 && !closing.signal.aborted) {
      await sleep(options.endedCheckMs, closing.signal);
      if (closing.signal.aborted) return;
      try {
        for (const id of await options.findEnded([...invoked.keys()])) settle(id);
      } catch (error) {
        logger.debug({ error: toError(error).message }, "which invoked tries have ended is not known; asking again");
      }
    }
  }

  /** Runs only while something is invoked. */
  function startWatching(): void {
    watching ??= watchEnded().finally(() => {
      watching = null;
      if (invoked.size > 0 && !closing.signal.aborted) startWatching();
    });
  }

  const receivers = [
    { queueUrl: options.queueUrl, read: readResult },
    ...(options.deadLetterQueueUrl === null ? [] : [{ queueUrl: options.deadLetterQueueUrl, read: readDeadEvent }]),
  ].map(({ queueUrl, read }) =>
    createResultReceiver({
      api,
      queueUrl,
      read,
      isWaiting: () => invoked.size > 0,
      handle,
      logger,
    }),
  );

  return {
    name,
    async start() {
      connected = await connectLambda(options);
      if (!options.checkHealthOnStartup) return;
      await checkLambda(connected, options);
      timeoutSec = await connected.functionTimeoutSec().catch((error: Error) => {
        logger.warn({ error: error.message }, "the function's timeout cannot be read; Lambda's maximum is assumed");
        return LAMBDA_MAX_SEC;
      });
    },
    slotsAvailable: () => (connected && !isEnding && launches.isHealthy() ? options.parallelism - placesTaken() : 0),
    queue(workloads) {
      for (const workload of workloads) {
        if (isEnding) emit(giveBack(workload));
        else {
          // A callback keeps its id when it is queued again.
          handled.delete(workloadId(workload));
          launches.add(workload);
        }
      }
    },
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    async adopt(orphans) {
      if (isEnding || !connected) throw new BaramError("aws_check_failed", `${name} is not running here.`, { name });
      for (const { id, externalExecutorId, workload } of orphans) {
        if (launches.has(id) || invoked.has(id) || handled.has(id)) continue;
        if (externalExecutorId === null && workload) launches.add(workload);
        else watch(id);
      }
      return orphans.map(({ id }) => id);
    },
    revoke(id) {
      launches.remove(id);
      invoked.delete(id);
    },
    async end() {
      isEnding = true;
      emit(...(await launches.close()).map(giveBack));
      const deadline = Date.now() + options.endWaitMs;
      while (invoked.size > 0 && Date.now() < deadline) await sleep(50);
      closing.abort();
      await Promise.all([watching, ...receivers.map((receiver) => receiver.close())]);
      connected?.close();
    },
  };
}
