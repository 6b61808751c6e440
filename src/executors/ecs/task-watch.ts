/**
 * Polls launched ECS tasks every `pollMs` in batches, outside of the scheduler's loop. A watched try is:
 * - running, as far as is known: until ECS reports STOPPED, or has not known the task for longer than a new one takes to appear;
 * - being stopped: StopTask is repeated until AWS accepts it; the task's end is not reported. Left by `ended`, once.
 */
import type { Task } from "@aws-sdk/client-ecs";
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { faultOf } from "../aws/fault-of.ts";
import { tryRenew } from "../aws/renewable-client.ts";
import { createTokenBucket } from "../aws/token-bucket.ts";
import type { EcsApi } from "./ecs-api.ts";
import { type Ending, endingOf } from "./ending-of.ts";

export type Watched = { readonly id: string; readonly tryKey: string; readonly arn: string };
type Entry = Watched & { sinceMs: number; isStopping: boolean; stopAsked: boolean; stopReason: string };

export type TaskWatch = {
  add(one: Watched): void;
  has(id: string): boolean;
  size(): number;
  stop(id: string, reason: string): void;
  /** Stops polling; running tasks go on. */
  close(): Promise<void>;
};

export type TaskWatchOptions = {
  api: () => EcsApi;
  containerName: string;
  pollMs: number;
  /** ECS may not yet know a task that it has just launched. */
  missingGraceMs: number;
  /** Ended tasks of one batch, including those that were asked to stop (`isStopping`). */
  ended(ends: { one: Watched; ending: Ending; isStopping: boolean }[]): void;
  logger: Logger;
};

/** The limit of DescribeTasks. */
const BATCH_MAX = 100;
/**
 * For reads and StopTask requests of one scheduler together; AWS allows an account 20 per second of each sustained, and more in
 * bursts.
 */
const REQUESTS_PER_SEC = 10;

export function createTaskWatch(options: TaskWatchOptions): TaskWatch {
  const { logger } = options;
  const watched = new Map<string, Entry>();
  const bucket = createTokenBucket({ perSec: REQUESTS_PER_SEC, burst: REQUESTS_PER_SEC * 2 });
  const closing = new AbortController();
  let wake = new AbortController();
  let isFaulty = false;
  let loop: Promise<void> | null = null;

  /** Runs only while there is something to poll, so that an executor that was never started does not keep the process alive. */
  function startLooking(): void {
    loop ??= run().finally(() => {
      loop = null;
      // A task may have been added since the last poll.
      if (watched.size > 0 && !closing.signal.aborted) startLooking();
    });
  }

  async function run(): Promise<void> {
    while (watched.size > 0 && !closing.signal.aborted) {
      await askToStop();
      await look();
      await sleep(options.pollMs, AbortSignal.any([closing.signal, wake.signal]));
      wake = new AbortController();
    }
  }

  async function look(): Promise<void> {
    const entries = [...watched.values()];
    for (let at = 0; at < entries.length && !closing.signal.aborted; at += BATCH_MAX) {
      const batch = entries.slice(at, at + BATCH_MAX);
      const answer = await paced("DescribeTasks", () => options.api().describeTasks(batch.map(({ arn }) => arn)));
      // The rest is polled the next time: AWS is away or throttling.
      if (!answer) return;
      const byArn = new Map((answer.tasks ?? []).map((task) => [task.taskArn, task]));
      const missing = new Set((answer.failures ?? []).filter(({ reason }) => reason === "MISSING").map(({ arn }) => arn));
      const ends = batch.flatMap((entry) => {
        const ending = endOf(entry, byArn.get(entry.arn), missing.has(entry.arn));
        return ending && watched.delete(entry.id) ? [{ one: entry, ending, isStopping: entry.isStopping }] : [];
      });
      if (ends.length > 0) options.ended(ends);
    }
  }

  function endOf(entry: Entry, task: Task | undefined, isMissing: boolean): Ending | null {
    if (task) return endingOf(task, options.containerName);
    if (!isMissing || Date.now() - entry.sinceMs < options.missingGraceMs) return null;
    return { ranNothing: false, exitCode: null, reason: `ECS does not know the task ${entry.arn} any more` };
  }

  async function askToStop(): Promise<void> {
    for (const entry of [...watched.values()].filter(({ isStopping, stopAsked }) => isStopping && !stopAsked)) {
      if (closing.signal.aborted) return;
      const done = await paced("StopTask", async () => {
        await options.api().stopTask(entry.arn, entry.stopReason);
        return true;
      });
      if (!done) return;
      entry.stopAsked = true;
    }
  }

  /** null: it failed and is retried at the next poll. */
  async function paced<T>(action: string, request: () => Promise<T>): Promise<T | null> {
    for (let waitMs = bucket.take(Date.now()); waitMs > 0; waitMs = bucket.take(Date.now())) {
      await sleep(waitMs, closing.signal);
      if (closing.signal.aborted) return null;
    }
    try {
      const answer = await request();
      bucket.reward();
      if (isFaulty) logger.info({ action }, "ECS can be polled again");
      isFaulty = false;
      return answer;
    } catch (error) {
      const fault = faultOf(error);
      bucket.punish(Date.now());
      if (fault.kind === "credentials") await tryRenew(options.api(), logger);
      if (!isFaulty && fault.kind !== "throttled")
        logger.error({ action, error: toError(error).message }, "ECS cannot be polled for running tasks; retrying");
      isFaulty ||= fault.kind !== "throttled";
      return null;
    }
  }

  return {
    add(one) {
      if (watched.has(one.id)) return;
      watched.set(one.id, { ...one, sinceMs: Date.now(), isStopping: false, stopAsked: false, stopReason: "" });
      startLooking();
    },
    has: (id) => watched.has(id),
    size: () => watched.size,
    stop(id, reason) {
      const entry = watched.get(id);
      if (!entry || entry.isStopping) return;
      entry.isStopping = true;
      entry.stopReason = reason;
      wake.abort();
    },
    async close() {
      closing.abort();
      await loop;
    },
  };
}
