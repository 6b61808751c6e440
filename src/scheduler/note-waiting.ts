import { holdQueued } from "../store/index.ts";
import { logPathOf } from "./commands/index.ts";
import type { SchedulerResources } from "./resources.ts";

/** Logs that are written at once: an outage may make thousands of tries wait. */
const WRITTEN_AT_ONCE = 50;

/**
 * Tries that have not started and are not stuck, since their executor holds them or gives them back. Each reason goes into its try's
 * log, before the try's own lines.
 */
export async function noteWaiting(
  { store, noteInTryLog }: SchedulerResources,
  waiting: readonly { id: string; reason: string | null }[],
): Promise<void> {
  if (waiting.length === 0) return;
  const reasons = new Map<string, Set<string>>();
  for (const { id, reason } of waiting) reasons.set(id, (reasons.get(id) ?? new Set()).add(reason ?? ""));
  const held = await holdQueued(store, [...reasons.keys()]);
  for (let at = 0; at < held.length; at += WRITTEN_AT_ONCE) {
    const notes = held.slice(at, at + WRITTEN_AT_ONCE).map(async (one) => {
      let isAnew = !one.isLogBegun;
      for (const reason of reasons.get(one.id) ?? []) {
        if (reason === "") continue;
        await noteInTryLog(logPathOf(one), `the try waits: ${reason}`, { level: "info", isAnew });
        isAnew = false;
      }
    });
    await Promise.all(notes);
  }
}
