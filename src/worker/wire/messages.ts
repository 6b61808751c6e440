import type { CallbackRequest, LogRecord, Outcome, RunContext, RunnerCalls, RunnerMethod } from "../../contracts/index.ts";

/** Facts of one try as its runner sees them; no token among them. */
export type TryFacts = { id: string; dagId: string; runId: string; taskId: string; mapIndex: number; tryNumber: number };
export type RunnerContext = Omit<RunContext, "token">;

/** Supervisor → runner. */
export type ToRunner =
  | { type: "run"; modulePath: string; ti: TryFacts; context: RunnerContext }
  | { type: "callback"; modulePath: string; request: CallbackRequest }
  | { type: "answer"; call: number; ok: true; result: unknown }
  | { type: "answer"; call: number; ok: false; code: string; message: string }
  /** The try must stop: its AbortSignal fires. `isLost`: its outcome will not be recorded, so no callback runs. */
  | { type: "cancel"; reason: string; isLost: boolean };

/** Runner → supervisor. Checked there by `fromRunnerSchema`, since user code shares the descriptor. */
export type FromRunner =
  | { type: "ready" }
  | ({ type: "log" } & LogRecord)
  | { [M in RunnerMethod]: { type: "call"; call: number; method: M; params: RunnerCalls[M]["params"] } }[RunnerMethod]
  /**
   * The task was asked to stop, by its executionTimeout or by a signal: the grace period begins. `outcome`: the try's outcome if
   * the task does not end in time. `limitSec`: its executionTimeout, if that is the reason.
   */
  | { type: "stopping"; outcome: Outcome; limitSec: number | null }
  /**
   * The task has ended and only its callbacks run. Or, with `endsProcess`, something it left is still running: the end must not be
   * reported before the process is gone, which may be killed once it says `idle`. `spawnedSince`: it started processes, and this
   * was the newest pid before the first of them; null = none.
   */
  | { type: "outcome"; outcome: Outcome; endsProcess: boolean; spawnedSince: number | null }
  /**
   * The callbacks have run: the runner is free for the next try. `rssBytes` lets the supervisor replace a runner that has grown.
   * `spent`: why it must not run another try; null = it may.
   */
  | { type: "idle"; rssBytes: number; spent: string | null; spawnedSince: number | null }
  /** Something failed while no try was running: the process must not get one. */
  | { type: "spent"; reason: string };
