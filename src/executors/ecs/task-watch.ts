/**
 * Polls launched ECS tasks every `pollMs` in batches, outside of the scheduler's loop. A watched try is:
 * - looked for: its ARN was never stored. Left when ECS finds the task by the try's id, or has not found it for `missingGraceMs`;
 * - running, as far as is known: until ECS reports STOPPED;
 * - missing: ECS answers that it does not know the task, or refuses to describe it. Its next sight ends that. After `missingGraceMs`
 *   it is reported, once. It stays watched until the database says that the try has ended, since ECS may be wrong, and then it is
 *   stopped;
 * - being stopped: StopTask is repeated until AWS answers it; the task's end is not reported. Left by `ended`, once.
 */
import { type Logger, sleep, toError } from "../../platform/index.ts";
import { faultOf } from "../aws/fault-of.ts";
import { tryRenew } from "../aws/renewable-client.ts";
import { createTokenBucket } from "../aws/token-bucket.ts";
import type { FindEnded } from "../contract.ts";
import { type Answer, describeTasks, type Seen } from "./describe-tasks.ts";
import type { EcsApi } from "./ecs-api.ts";
import { type Ending, endingOf } from "./ending-of.ts";

/** `arn` null: it is looked for by the try's id. */
export type Watched = { readonly id: string; readonly tryKey: string; readonly arn: string | null };
type Entry = Omit<Watched, "arn"> & {
  arn: string | null;
  missing: { reason: string; sinceMs: number; isTold: boolean } | null;
  isStopping: boolean;
  stopAsked: boolean;
  stopReason: string;
};

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
  /** For tasks whose ARN names none. */
  cluster: string;
  containerName: string;
  pollMs: number;
  /** ECS may not know a task for a while: one that it has just launched, or any, since its answers come from replicas. */
  missingGraceMs: number;
  findEnded: FindEnded;
  /** Ended tasks of one batch, including those that were asked to stop (`isStopping`). */
  ended(ends: { id: string; tryKey: string; ending: Ending; isStopping: boolean }[]): void;
  /** The task of a try whose ARN was not stored. */
  found(id: string, arn: string): void;
  missing(id: string, reason: string): void;
  logger: Logger;
};

/**
 * For reads and StopTask requests of one scheduler together; AWS allows an account 20 per second of each sustained, and more in
 * bursts.
 */
const REQUESTS_PER_SEC = 10;
const GIVEN_UP = "Baram gave the try up: ECS did not know its task";

export function createTaskWatch(options: TaskWatchOptions): TaskWatch {
  const { logger, missingGraceMs } = options;
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
      await findArns();
      await look();
      await settleMissing();
      await sleep(options.pollMs, AbortSignal.any([closing.signal, wake.signal]));
      wake = new AbortController();
    }
  }

  async function askToStop(): Promise<void> {
    for (const entry of [...watched.values()].filter(({ isStopping, stopAsked }) => isStopping && !stopAsked)) {
      const { id, arn, stopReason } = entry;
      if (closing.signal.aborted) return;
      if (arn === null) continue;
      const answer = await paced("StopTask", () => options.api().stopTask(arn, stopReason));
      if (!answer) return;
      // Another request would be refused too. Its worker learns from its heartbeat that the try is no longer its own.
      if ("refused" in answer) logger.warn({ id, arn, error: answer.refused }, "ECS refuses to stop a task; its worker ends it");
      entry.stopAsked = true;
    }
  }

  async function findArns(): Promise<void> {
    for (const entry of [...watched.values()].filter(({ arn }) => arn === null)) {
      if (closing.signal.aborted) return;
      const { id } = entry;
      const answer = await paced("ListTasks", () => options.api().findTasks(id));
      if (!answer) return;
      if ("refused" in answer) giveUpSearch(entry, answer.refused);
      // With two, one was launched in vain and soon ends; its end must not be taken for the try's.
      else if (answer.value.length !== 1)
        miss(entry, `ECS knows ${answer.value.length} running tasks that were started by "${id}"`);
      else {
        const [arn = null] = answer.value;
        entry.arn = arn;
        entry.missing = null;
        if (arn !== null) options.found(id, arn);
      }
    }
  }

  function giveUpSearch(entry: Entry, error: string): void {
    watched.delete(entry.id);
    logger.warn(
      { id: entry.id, error },
      "the ECS task of a running try cannot be found (this needs ecs:ListTasks); only its heartbeats are watched",
    );
    options.ended([]);
  }

  async function look(): Promise<void> {
    const byArn = new Map([...watched.values()].flatMap((entry) => (entry.arn === null ? [] : [[entry.arn, entry] as const])));
    await describeTasks([...byArn.keys()], {
      cluster: options.cluster,
      request: (cluster, arns) => paced("DescribeTasks", () => options.api().describeTasks(cluster, arns)),
      seen(seen) {
        const ends = [...seen].flatMap(([arn, one]) => {
          const entry = byArn.get(arn);
          const ending = entry ? endOf(entry, one) : null;
          if (!entry || !ending || !watched.delete(entry.id)) return [];
          return [{ id: entry.id, tryKey: entry.tryKey, ending, isStopping: entry.isStopping }];
        });
        if (ends.length > 0) options.ended(ends);
      },
    });
  }

  function endOf(entry: Entry, seen: Seen): Ending | null {
    if ("missing" in seen) {
      miss(entry, seen.missing);
      return null;
    }
    if (entry.missing?.isTold) logger.info({ id: entry.id, arn: entry.arn }, "ECS knows the task again");
    entry.missing = null;
    return endingOf(seen.task, options.containerName);
  }

  function miss(entry: Entry, reason: string): void {
    if (!entry.missing) logger.debug({ id: entry.id, reason }, "ECS does not know a task; it is asked again");
    const { sinceMs, isTold } = entry.missing ?? { sinceMs: Date.now(), isTold: false };
    entry.missing = { sinceMs, isTold, reason };
  }

  async function settleMissing(): Promise<void> {
    const overdue: Entry[] = [];
    for (const entry of [...watched.values()]) {
      const { id, arn, missing } = entry;
      if (!missing || Date.now() - missing.sinceMs < missingGraceMs) continue;
      if (arn === null) giveUpSearch(entry, missing.reason);
      else if (entry.stopAsked) forget(entry);
      else if (!entry.isStopping) {
        overdue.push(entry);
        if (missing.isTold) continue;
        missing.isTold = true;
        logger.warn({ id, arn, reason: missing.reason }, "ECS does not know a task any more; its try's heartbeats decide");
        options.missing(id, `${missing.reason} (asked for ${Math.round(missingGraceMs / 1_000)} s)`);
      }
    }
    if (overdue.length === 0) return;
    try {
      for (const id of await options.findEnded(overdue.map(({ id }) => id))) stop(id, GIVEN_UP);
    } catch (error) {
      logger.debug({ error: toError(error).message }, "which tries of missing ECS tasks have ended is not known; asking again");
    }
  }

  function forget(entry: Entry): void {
    watched.delete(entry.id);
    logger.warn(
      { id: entry.id, arn: entry.arn, reason: entry.missing?.reason },
      "an ECS task that ECS does not know is given up",
    );
    options.ended([]);
  }

  function stop(id: string, reason: string): void {
    const entry = watched.get(id);
    if (!entry || entry.isStopping) return;
    entry.isStopping = true;
    entry.stopReason = reason;
    wake.abort();
  }

  /** null: it failed and is retried at the next poll. */
  async function paced<T>(action: string, request: () => Promise<T>): Promise<Answer<T>> {
    for (let waitMs = bucket.take(Date.now()); waitMs > 0; waitMs = bucket.take(Date.now())) {
      await sleep(waitMs, closing.signal);
      if (closing.signal.aborted) return null;
    }
    try {
      const value = await request();
      bucket.reward();
      setFaulty(false, action, "");
      return { value };
    } catch (error) {
      const fault = faultOf(error);
      if (fault.kind === "answered") {
        setFaulty(false, action, "");
        return { refused: fault.message };
      }
      bucket.punish(Date.now());
      if (fault.kind === "credentials") await tryRenew(options.api(), logger);
      if (fault.kind !== "throttled") setFaulty(true, action, fault.message);
      return null;
    }
  }

  function setFaulty(faulty: boolean, action: string, error: string): void {
    if (faulty === isFaulty) return;
    isFaulty = faulty;
    if (faulty) logger.error({ action, error }, "ECS cannot be polled for running tasks; retrying");
    else logger.info({ action }, "ECS can be polled again");
  }

  return {
    add(one) {
      if (watched.has(one.id)) return;
      watched.set(one.id, { ...one, missing: null, isStopping: false, stopAsked: false, stopReason: "" });
      startLooking();
    },
    has: (id) => watched.has(id),
    size: () => watched.size,
    stop,
    async close() {
      closing.abort();
      await loop;
    },
  };
}
