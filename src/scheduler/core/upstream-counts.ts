import type { TaskInstanceState } from "../../contracts/index.ts";
import type { UpstreamCounts } from "./trigger-rules.ts";

export function emptyCounts(): UpstreamCounts {
  return { total: 0, success: 0, failed: 0, upstreamFailed: 0, skipped: 0, setupTotal: 0, setupSuccess: 0, setupSkipped: 0 };
}

/** Adds (+1) or removes (-1) one upstream instance. Removed instances do not count. */
export function tally(counts: UpstreamCounts, state: TaskInstanceState | null, isSetup: boolean, by: 1 | -1): void {
  if (state === "removed") return;
  counts.total += by;
  if (isSetup) counts.setupTotal += by;
  if (state === "success") {
    counts.success += by;
    if (isSetup) counts.setupSuccess += by;
  } else if (state === "skipped") {
    counts.skipped += by;
    if (isSetup) counts.setupSkipped += by;
  } else if (state === "failed") counts.failed += by;
  else if (state === "upstream_failed") counts.upstreamFailed += by;
}

export function addCounts(left: UpstreamCounts, right: UpstreamCounts): UpstreamCounts {
  return {
    total: left.total + right.total,
    success: left.success + right.success,
    failed: left.failed + right.failed,
    upstreamFailed: left.upstreamFailed + right.upstreamFailed,
    skipped: left.skipped + right.skipped,
    setupTotal: left.setupTotal + right.setupTotal,
    setupSuccess: left.setupSuccess + right.setupSuccess,
    setupSkipped: left.setupSkipped + right.setupSkipped,
  };
}

/**
 * Everything that a trigger rule can distinguish in common counts to which an instance's own are added: whether there is any of a
 * state, and whether all have ended. While this is unchanged, the verdict on an instance depends on its own counts only.
 */
export function outlineOf(counts: UpstreamCounts): string {
  const ended = counts.success + counts.failed + counts.upstreamFailed + counts.skipped;
  const facts = [
    ended >= counts.total,
    counts.total > 0,
    counts.success > 0,
    counts.failed > 0,
    counts.upstreamFailed > 0,
    counts.skipped > 0,
    counts.setupTotal > 0,
    counts.setupSuccess > 0,
    counts.setupSkipped >= counts.setupTotal,
  ];
  return facts.map((fact) => (fact ? 1 : 0)).join("");
}
