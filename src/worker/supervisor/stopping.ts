/**
 * How a try is made to stop. It is asked: its signal aborts, and its process group gets SIGTERM. It then has the grace period
 * (`[core] killed_task_cleanup_time`) to end by itself. After that its process and everything that process started are killed. The
 * try's end is reported only when all of it is gone, since until then it might still write.
 */
import type { Outcome } from "../../contracts/index.ts";
import { startTimer } from "../../platform/index.ts";
import { type Attempt, note, type Stopping } from "./attempt.ts";

/** Starts the grace period; the first reason to stop counts. */
export function startGrace(attempt: Attempt, why: Pick<Stopping, "limitSec" | "outcome" | "isDecided">, graceSec: number): void {
  if (attempt.stopping !== null) return;
  attempt.stopping = { ...why, atMs: Date.now(), isKilled: false };
  attempt.timers.push(startTimer(graceSec * 1_000, () => killStopped(attempt, graceSec)));
}

/** Kills the process of a try whose grace period is over. The try's end is reported when the process is gone. */
export function killStopped(attempt: Attempt, graceSec: number): void {
  const { runner, stopping } = attempt;
  if (attempt.state !== "running" || !runner || !stopping || stopping.isKilled) return;
  // A held try has ended; only its callbacks are running.
  if (attempt.held === null) {
    stopping.isKilled = true;
    note(attempt, "warn", `the task did not end within the grace of ${graceSec} s; its process ${runner.pid} is killed`);
  }
  runner.kill();
}

/** The try's outcome, from its runner's report and how it was stopped. */
export function outcomeOfStop({ stopping }: Attempt, said: Outcome, graceSec: number): Outcome {
  if (stopping === null) return said;
  if (!stopping.isKilled) return stopping.isDecided ? stopping.outcome : said;
  const { outcome } = stopping;
  const more = `; it did not end within the grace of ${graceSec} s, and its process was killed`;
  if (outcome.state === "failed") return { ...outcome, error: { ...outcome.error, message: outcome.error.message + more } };
  return outcome.state === "skipped" ? { ...outcome, reason: outcome.reason + more } : outcome;
}

/**
 * How long the try took, and how much of it was waiting for its end: "7.004 s: 2 s limit + 5 s grace, then its process was killed".
 */
export function tookText({ startedAt, stopping }: Attempt, graceSec: number): string {
  const now = Date.now();
  const total = `${inSeconds(now - startedAt)} s`;
  if (stopping === null) return total;
  const before =
    stopping.limitSec === null
      ? `${inSeconds(stopping.atMs - startedAt)} s until it was asked to stop`
      : `${stopping.limitSec} s limit`;
  const after = stopping.isKilled
    ? `${graceSec} s grace, then its process was killed`
    : `${inSeconds(now - stopping.atMs)} s of the ${graceSec} s grace`;
  return `${total}: ${before} + ${after}`;
}

function inSeconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
