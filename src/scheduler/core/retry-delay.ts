import type { SerializedTask } from "../../contracts/index.ts";

/** Airflow's `max_retry_delay` when a task names none: a day. */
const LONGEST_SEC = 86_400;

/**
 * Seconds to wait before the try after `tryNumber`. With backoff b = ceil(delay · factor^(try − 1)), and the wait lies
 * between b and 2b, spread by the try's id so that tasks which failed together do not come back together.
 */
export function retryDelaySec(
  task: Pick<SerializedTask, "retryDelaySec" | "retryExponentialBackoff" | "maxRetryDelaySec">,
  tryNumber: number,
  tryId: string,
): number {
  const longest = Math.min(task.maxRetryDelaySec ?? LONGEST_SEC, LONGEST_SEC);
  if (task.retryExponentialBackoff === 0 || task.retryDelaySec === 0) return Math.min(task.retryDelaySec, longest);
  // Beyond 2^1000 the power overflows to Infinity; the cap takes care of it.
  const base = Math.ceil(task.retryDelaySec * task.retryExponentialBackoff ** (Math.max(1, tryNumber) - 1));
  if (!Number.isFinite(base) || base >= longest) return longest;
  const spread = Number.parseInt(tryId.replaceAll("-", "").slice(-8), 16) % Math.max(1, base);
  return Math.min(base + spread, longest);
}
