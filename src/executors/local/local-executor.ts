import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { type Workload, workloadId } from "../../contracts/index.ts";
import {
  killMarked,
  killProcessBoxes,
  type Logger,
  ownPipes,
  type ProcessMark,
  sleep,
  startTimer,
  toError,
} from "../../platform/index.ts";
import type { Executor, ExecutorEvent, ExecutorOptions } from "../contract.ts";

export const SUPERVISOR_MARK = "BARAM_SUPERVISOR_ID";

/** Scheduler → supervisor process. */
export type ToSupervisor =
  | { type: "configure"; options: unknown }
  | { type: "workloads"; workloads: readonly Workload[] }
  | { type: "revoke"; id: string }
  | { type: "drain"; graceMs: number };
/** Supervisor process → scheduler. */
export type FromSupervisor =
  | { type: "ready" }
  | { type: "done"; id: string }
  | { type: "not_started"; id: string; reason: string }
  | { type: "drained" };

export type LocalExecutorOptions = ExecutorOptions & {
  /** Path of the supervisor process's entry in dist. */
  supervisorEntry: string;
  /** Passed on to the supervisor unchanged. */
  supervisorOptions: unknown;
  environment: Readonly<Record<string, string>>;
  killGraceMs: number;
};

/** Attempts to start a supervisor before the scheduler's start fails. */
const START_ATTEMPTS = 4;

/**
 * Runs workloads on this machine: a supervisor process of its own, which keeps the runner processes. The supervisor lives apart
 * from the scheduler so that tasks outlast it, and their heartbeats never wait for a busy scheduler. If the supervisor dies, its
 * workloads are reported lost at once and a new one is started.
 */
export function createLocalExecutor(options: LocalExecutorOptions, logger: Logger): Executor {
  const inHand = new Set<string>();
  let events: ExecutorEvent[] = [];
  let child: ChildProcess | null = null;
  /**
   * Sends to the running supervisor. A message that a dying one does not get needs no handling: its `exit` reports all its
   * workloads lost.
   */
  let say: (message: ToSupervisor) => void = () => {};
  let ending = false;
  let drained: (() => void) | null = null;

  const emit = (event: ExecutorEvent) => {
    events.push(event);
    options.onEvent();
  };

  /** A supervisor that is killed while it boots is started again; during the scheduler's own start only a few times. */
  async function launchUntilReady(attempts: number): Promise<void> {
    for (let attempt = 1; !ending; attempt++) {
      try {
        return await launch();
      } catch (error) {
        if (ending || attempt >= attempts) throw error;
        logger.warn({ executor: options.name, attempt, error: toError(error).message }, "starting the supervisor process again");
        await sleep(Math.min(5_000, 50 * 2 ** attempt));
      }
    }
  }

  /** Rejects when it ends before it is ready. */
  function launch(): Promise<void> {
    return new Promise((resolve, reject) => {
      let isReady = false;
      // Runners inherit the mark, so that all can be found and killed when their supervisor dies.
      const mark: ProcessMark = { name: SUPERVISOR_MARK, value: randomUUID() };
      const started = fork(options.supervisorEntry, [], {
        // Its own process group: a Ctrl-C at the terminal reaches the scheduler only, which then drains it.
        detached: true,
        stdio: ["ignore", "inherit", "inherit", "ipc"],
        env: { ...options.environment, [mark.name]: mark.value },
        execArgv: ["--enable-source-maps", "--max-semi-space-size=16"],
      });
      const pipes = ownPipes(started, (pipe, error) =>
        logger.debug(
          { executor: options.name, pipe, error: error.message },
          "a message to the supervisor process could not be sent",
        ),
      );
      child = started;
      say = pipes.send;
      say({ type: "configure", options: options.supervisorOptions });
      started.on("message", (message: FromSupervisor) => {
        if (message.type === "ready") {
          isReady = true;
          resolve();
        } else if (message.type === "drained") drained?.();
        else {
          // The scheduler learns of a task's end from the database; this event matters only if slots were short.
          const wasFull = inHand.size >= options.parallelism;
          inHand.delete(message.id);
          if (message.type === "not_started") emit({ id: message.id, kind: "not_started", reason: message.reason });
          else if (wasFull) options.onEvent();
        }
      });
      started.once("error", reject);
      started.once("exit", (code, signal) => {
        reject(new Error(`the supervisor ended with ${signal ?? `code ${code}`} before it was ready`));
        child = null;
        killMarked(mark);
        killProcessBoxes(mark.value);
        drained?.();
        const lost = [...inHand];
        inHand.clear();
        for (const id of lost)
          emit({
            id,
            kind: "lost",
            reason: `the supervisor process of ${options.name} ended (${signal ?? `exit code ${code}`})`,
          });
        if (ending || !isReady) return;
        logger.error(
          { executor: options.name, code, signal, lost: lost.length },
          "the supervisor process ended; starting another",
        );
        launchUntilReady(Number.POSITIVE_INFINITY).catch((error: Error) =>
          logger.error({ error: error.message }, "the supervisor process could not be started"),
        );
      });
    });
  }

  return {
    name: options.name,
    start: () => launchUntilReady(START_ATTEMPTS),
    slotsAvailable: () => (child?.connected && !ending ? options.parallelism - inHand.size : 0),
    queue(workloads) {
      const ids = workloads.map(workloadId);
      if (!child?.connected) {
        for (const id of ids) emit({ id, kind: "not_started", reason: `the supervisor process of ${options.name} is not there` });
        return;
      }
      for (const id of ids) inHand.add(id);
      say({ type: "workloads", workloads });
    },
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    adopt: async (tries) => tries.filter(({ id }) => inHand.has(id)).map(({ id }) => id),
    describe: (id) => (inHand.has(id) ? `the supervisor process of ${options.name} has it` : null),
    revoke(id) {
      inHand.delete(id);
      if (child) say({ type: "revoke", id });
    },
    async end(graceMs) {
      ending = true;
      const current = child;
      if (!current?.connected) return;
      const done = new Promise<void>((resolve) => (drained = resolve));
      say({ type: "drain", graceMs });
      const limit = startTimer(graceMs + options.killGraceMs + 10_000, () => current.kill("SIGKILL"));
      await done;
      limit.cancel();
    },
  };
}
