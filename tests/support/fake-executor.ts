/** Executors without workers: they accept workloads as a real one does and report the outcomes that the test sets. */
import type { ExecuteTask, Outcome, Workload } from "../../src/contracts/index.ts";
import type { Executor, ExecutorEvent } from "../../src/executors/index.ts";
import { sleep } from "../../src/platform/index.ts";
import { type DagCache, finishByOutcome, type TryOutcome } from "../../src/scheduler/index.ts";
import { type Store, startTries } from "../../src/store/index.ts";

export const SUCCESS: Outcome = { state: "success", xcoms: [], skipTasks: [] };
export const FAILURE: Outcome = {
  state: "failed",
  retryable: true,
  error: { name: "Error", message: "on purpose", stack: null },
  xcoms: [],
};

export type FakeExecutor = Executor & {
  /** All task workloads that were handed over, in order. */
  readonly handed: ExecuteTask[];
  /** Handed over, and neither ended nor revoked. */
  readonly inHand: Set<string>;
  readonly revoked: string[];
  emit(event: ExecutorEvent): void;
  /** Resolves when all outcomes have been reported. */
  settled(): Promise<void>;
};

export type FakeExecutorOptions = {
  name?: string;
  slots?: number;
  /**
   * The outcome of a try: immediately, later, or (null) never. "running" starts it first, as a worker does; the default is to end
   * a queued try in one statement.
   */
  work?: (workload: ExecuteTask) => Outcome | null | Promise<Outcome | null>;
  /** As an executor that hands its workloads to a broker. */
  isStartedByWorkers?: boolean;
  startsFirst?: boolean;
  /** A failed report of a start or an end is repeated until it is accepted, as a supervisor does. Default: it is dropped. */
  asksAgain?: boolean;
};

/** The stored form of a deferral, without encryption. */
function sealed(ended: TryOutcome): TryOutcome {
  const { outcome } = ended;
  if (outcome.state !== "deferred") return ended;
  const seal = (value: object) => Buffer.from(JSON.stringify(value));
  return { ...ended, sealed: { kwargs: seal(outcome.triggerKwargs), nextKwargs: seal(outcome.nextKwargs) } };
}

export function createFakeExecutor(store: Store, dags: DagCache, options: FakeExecutorOptions = {}): FakeExecutor {
  const work = options.work ?? (() => SUCCESS);
  const handed: ExecuteTask[] = [];
  const inHand = new Set<string>();
  const revoked: string[] = [];
  let events: ExecutorEvent[] = [];
  const waiting: { id: string; outcome: Outcome }[] = [];
  let flushing: Promise<void> | null = null;
  const open = new Set<Promise<void>>();

  async function insist<T>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (!options.asksAgain || attempt === 100) throw error;
        await sleep(1);
      }
    }
  }

  async function flush(): Promise<void> {
    // Collects ends within one turn of the event loop, as a supervisor's batcher does.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 200).map(sealed);
      const leaving = options.startsFirst ? (["running"] as const) : (["queued"] as const);
      await insist(() => finishByOutcome(store, dags, batch, { leaving, silentForSec: null }));
      for (const { id } of batch) inHand.delete(id);
    }
    flushing = null;
  }

  async function take(workload: ExecuteTask): Promise<void> {
    const { id } = workload.ti;
    if (options.startsFirst) {
      const started = await insist(() => startTries(store, [{ id, hostname: "fake", unixname: "fake", pid: 1 }]));
      if (started.length === 0) {
        inHand.delete(id);
        return;
      }
    }
    const outcome = await work(workload);
    if (!outcome) return;
    waiting.push({ id, outcome });
    flushing ??= flush();
    await flushing;
  }

  return {
    name: options.name ?? "LocalExecutor",
    isStartedByWorkers: options.isStartedByWorkers ?? false,
    handed,
    inHand,
    revoked,
    start: async () => {},
    slotsAvailable: () => (options.slots ?? 10_000) - inHand.size,
    queue(workloads: readonly Workload[]) {
      for (const workload of workloads) {
        if (workload.type !== "ExecuteTask") continue;
        handed.push(workload);
        inHand.add(workload.ti.id);
        // If a test made the database unavailable, the scheduler must handle it, not this fake.
        const one = take(workload)
          .catch(() => {})
          .finally(() => open.delete(one));
        open.add(one);
      }
    },
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    adopt: async (tries) => tries.filter(({ id }) => inHand.has(id)).map(({ id }) => id),
    revoke(id) {
      revoked.push(id);
      inHand.delete(id);
    },
    end: async () => {},
    emit: (event) => void events.push(event),
    async settled() {
      while (open.size > 0) await Promise.all(open);
    },
  };
}
