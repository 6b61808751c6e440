/** I9: a fault of one DAG affects only that DAG. */
import type { Expectation, History } from "./history.ts";

const FACTOR = 2;
/** Delays of this length happen on an overloaded machine: for such short runs the comparison says nothing. */
const FLOOR_MS = 500;
/** Maximum duration of a single run: it may be slow, but must not stand still. */
const STANDSTILL_MS = 5_000;

/**
 * I9: the bystanders' runs that were created during the fault took at most twice as long, from creation to end, as those that had
 * ended before it; by the median, since a single run may be slow by chance.
 */
export function checkIsolation(history: History, { bystanders }: Pick<Expectation, "bystanders">): string[] {
  if (!bystanders) return [];
  return bystanders.dagIds.flatMap((dagId) => {
    const { before, under } = durations(history, dagId, bystanders.faultFromMs);
    if (before.length === 0) return [`no run of ${dagId} ended before the fault: there is nothing to compare with`];
    if (under.length === 0) return [`no run of ${dagId} was created under the fault`];
    const [usual, now] = [median(before), median(under)];
    const [longestUsual, longest] = [Math.max(...before), Math.max(...under)];
    const faults: string[] = [];
    if (now > Math.max(FACTOR * usual, FLOOR_MS))
      faults.push(`runs of ${dagId} took ${Math.round(now)} ms under the fault and ${Math.round(usual)} ms before`);
    if (longest > Math.max(FACTOR * longestUsual, STANDSTILL_MS))
      faults.push(
        `a run of ${dagId} ${Number.isFinite(longest) ? `took ${Math.round(longest)} ms` : "never ended"} under the fault; the longest before took ${Math.round(longestUsual)} ms`,
      );
    return faults;
  });
}

/** Milliseconds from creation to end. A run that was open when the fault began is in neither group. */
function durations(history: History, dagId: string, faultFromMs: number): { before: number[]; under: number[] } {
  const created = new Map<string, number>();
  const ended = new Map<string, number>();
  for (const one of history.runTransitions) {
    if (one.dagId !== dagId) continue;
    if (one.from === null) created.set(one.run, one.atMs);
    if (one.to === "success" || one.to === "failed") ended.set(one.run, one.atMs);
  }
  const before: number[] = [];
  const under: number[] = [];
  for (const [run, fromMs] of created) {
    const endMs = ended.get(run) ?? Number.POSITIVE_INFINITY;
    if (endMs < faultFromMs) before.push(endMs - fromMs);
    else if (fromMs >= faultFromMs) under.push(endMs - fromMs);
  }
  return { before, under };
}

function median(all: readonly number[]): number {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
}
