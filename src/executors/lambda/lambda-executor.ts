/**
 * Runs each workload by an asynchronous invocation of one Lambda function. A workload here is in one of two hands, and counts as one
 * of `parallelism` in both:
 * - the launch queue's: Invoke has not answered yet. Left for `invoked`, or refused, or given back when this scheduler ends;
 * - `invoked`: Lambda has the event. Left by its message in the result queue or the dead-letter queue. Where that is lost, its place is
 *   freed when the function's time is over, and it is forgotten when Lambda cannot be delivering its event any more: heartbeats say
 *   what became of the try.
 * The outcome of a try comes through the execution API and never from here.
 *
 * Lambda has no key against doubled invocations, and delivers an event twice now and then. It is the API that lets only one start:
 * each invocation asks under a name of its own. A function that runs cannot be stopped; a try taken back is refused when it reports.
 */
import { type Workload, workloadId } from "../../contracts/index.ts";
import { BaramError, type Logger, sleep } from "../../platform/index.ts";
import type { AwsAccess } from "../aws/client-settings.ts";
import { createLaunchQueue, type Launch } from "../aws/launch-queue.ts";
import type { Executor, ExecutorEvent, ExecutorOptions } from "../contract.ts";
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
    /** Where functions reach Baram's API. */
    apiUrl: string;
    maxInvokeAttempts: number;
    invokePerSec: number;
    retryDelayMs(failed: number): number;
    endWaitMs: number;
    /** After so long a result that no scheduler knows is deleted. */
    nobodysAfterMs: number;
    checkHealthOnStartup: boolean;
  };

/** Lambda gives an event to its function three times at most, minutes apart. */
const DELIVERIES = 3;
const BETWEEN_DELIVERIES_SEC = 180;
/** From the invocation to the function's start, and from its end to its message. */
const ON_THE_WAY_SEC = 60;
/** Results handled of late, by id: a doubled message must not be taken for another scheduler's. */
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
        // Its result may be faster than Invoke's own answer.
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
    for (const receiver of receivers) receiver.wake();
  }

  /** In the order of their invocations, so the first that is young ends the look. */
  function forgetOld(): void {
    const olderThanMs = Date.now() - (timeoutSec * DELIVERIES + BETWEEN_DELIVERIES_SEC) * 1_000;
    for (const [id, sinceMs] of invoked) {
      if (sinceMs > olderThanMs) return;
      invoked.delete(id);
      logger.warn(
        { id },
        "a function told no result in all the time that Lambda gives it; heartbeats say what became of the try",
      );
    }
  }

  function placesTaken(): number {
    forgetOld();
    const olderThanMs = Date.now() - (timeoutSec + ON_THE_WAY_SEC) * 1_000;
    let taken = launches.size();
    for (const sinceMs of invoked.values()) if (sinceMs > olderThanMs) taken++;
    return taken;
  }

  function handle({ task_key: id, return_code: code, reason }: InvocationResult): boolean {
    if (handled.has(id)) return true;
    if (!invoked.has(id) && !launches.has(id)) return false;
    invoked.delete(id);
    handled.add(id);
    const [oldest] = handled;
    if (handled.size > REMEMBERED_MAX && oldest !== undefined) handled.delete(oldest);
    if (code === 0) options.onEvent();
    else emit({ id, kind: "lost", reason: reason ?? `its function ended with code ${code} and gave no reason` });
    return true;
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
      nobodysAfterMs: options.nobodysAfterMs,
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
        logger.warn({ error: error.message }, "the function's timeout cannot be read; Lambda's longest is taken");
        return LAMBDA_MAX_SEC;
      });
    },
    slotsAvailable: () => (connected && !isEnding && launches.isHealthy() ? options.parallelism - placesTaken() : 0),
    queue(workloads) {
      for (const workload of workloads) {
        if (isEnding) emit(giveBack(workload));
        else launches.add(workload);
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
      await Promise.all(receivers.map((receiver) => receiver.close()));
      connected?.close();
    },
  };
}
