import type { CallbackRequest, JsonObject, Outcome, RunContext, RunnerCalls, RunnerMethod } from "../../contracts/index.ts";

/** Facts of one try as its runner sees them; no token among them. */
export type TryFacts = { id: string; dagId: string; runId: string; taskId: string; mapIndex: number; tryNumber: number };
export type RunnerContext = Omit<RunContext, "token">;

/** Supervisor → runner. */
export type ToRunner =
  | { type: "run"; modulePath: string; ti: TryFacts; context: RunnerContext }
  | { type: "callback"; modulePath: string; request: CallbackRequest }
  | { type: "answer"; call: number; ok: true; result: unknown }
  | { type: "answer"; call: number; ok: false; code: string; message: string }
  /** The try is to stop: its AbortSignal fires. `isLost`: its outcome is nobody's any more, so no callback tells of it. */
  | { type: "cancel"; reason: string; isLost: boolean };

/** Runner → supervisor. */
export type FromRunner =
  | { type: "ready" }
  | { type: "log"; level: LogLevel; message: string; facts?: JsonObject }
  | { [M in RunnerMethod]: { type: "call"; call: number; method: M; params: RunnerCalls[M]["params"] } }[RunnerMethod]
  /**
   * The task was asked to stop, by its executionTimeout or by a signal: the grace begins. `outcome`: what the try is if the task does not
   * end within it. `limitSec`: its executionTimeout, where that is why.
   */
  | { type: "stopping"; outcome: Outcome; limitSec: number | null }
  /**
   * The task has ended: nothing of it runs any more but its callbacks. Or, with `endsProcess`, what it left still does: the end is not to
   * be told before the process is gone, which may be ended once it says `idle`. `spawnedSince`: it started processes, and
   * this was the newest pid before the first of them; null = none.
   */
  | { type: "outcome"; outcome: Outcome; endsProcess: boolean; spawnedSince: number | null }
  /**
   * Callbacks ran too: the runner is free for the next try. `rssBytes` lets the supervisor replace one that grew. `spent`: why it must not
   * serve another one; null = it may.
   */
  | { type: "idle"; rssBytes: number; spent: string | null; spawnedSince: number | null }
  /** Something failed while no try was at work: the process must not be given one. */
  | { type: "spent"; reason: string };

export type LogLevel = "debug" | "info" | "warn" | "error";
