/**
 * How a try is made to stop. It is asked: its signal aborts, and its process group gets SIGTERM. It then has the grace
 * (`[core] killed_task_cleanup_time`) to end by itself. What has not ended by then is killed with its process and everything that
 * process started, and only when all of it is gone is the try's end told: until then it might still write.
 */
import type { Outcome } from "../../contracts/index.ts";
import { startTimer } from "../../platform/index.ts";
import { type Attempt, note, type Stopping } from "./attempt.ts";

/** From now on the grace runs; the first reason to stop counts. */
export function startGrace(attempt: Attempt, why: Pick<Stopping, "limitSec" | "outcome" | "isDecided">, graceSec: number): void {
  if (attempt.stopping !== null) return;
  attempt.stopping = { ...why, atMs: Date.now(), isKilled: false };
  attempt.timers.push(startTimer(graceSec * 1_000, () => killStopped(attempt, graceSec)));
}

/** Ends the process of a try whose grace is over. Its end is told when the process is gone. */
export function killStopped(attempt: Attempt, graceSec: number): void {
  const { runner, stopping } = attempt;
  if (attempt.state !== "running" || !runner || !stopping || stopping.isKilled) return;
  // What is held has ended, and only its callbacks are at work.
  if (attempt.held === null) {
    stopping.isKilled = true;
    note(attempt, "warn", `the task did not end within the grace of ${graceSec} s; its process ${runner.pid} is killed`);
  }
  runner.kill();
}

/** What the try is, after what its runner said of it and how it was stopped. */
export function outcomeOfStop({ stopping }: Attempt, said: Outcome, graceSec: number): Outcome {
  if (stopping === null) return said;
  if (!stopping.isKilled) return stopping.isDecided ? stopping.outcome : said;
  const { outcome } = stopping;
  const more = `; it did not end within the grace of ${graceSec} s, and its process was killed`;
  if (outcome.state === "failed") return { ...outcome, error: { ...outcome.error, message: outcome.error.message + more } };
  return outcome.state === "skipped" ? { ...outcome, reason: outcome.reason + more } : outcome;
}

/** How long the try took, and what of it was waiting for its end: "7.004 s: 2 s limit + 5 s grace, then its process was killed". */
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
