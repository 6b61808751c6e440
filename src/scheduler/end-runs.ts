import type { Db, LifelessRun } from "../store/index.ts";
import { failedStreak, insertCallback, lockStreak, logEvent, pauseDag } from "../store/index.ts";
import type { Graph } from "./core/graph.ts";

export type RunEnd = {
  run: Pick<LifelessRun, "id" | "dagId" | "runId" | "versionId" | "endsAs">;
  state: "success" | "failed";
  reason: "timed_out" | "all_tasks_deadlocked" | "lazarus_gave_up" | null;
  graph: Graph;
};

/** What is done when runs end: their DAG's callback, the pause after too many failures, a line in the audit log. */
export async function noteRunEnds(tx: Db, ends: readonly RunEnd[]): Promise<void> {
  for (const { run, state, reason, graph } of ends) {
    const { dag } = graph;
    // A run that was ended by hand and only waited for its teardowns has no callback.
    if (run.endsAs === null && (state === "success" ? dag.hasOnSuccessCallback : dag.hasOnFailureCallback)) {
      const callback = state === "success" ? "onSuccess" : "onFailure";
      await insertCallback(tx, {
        dagRunId: run.id,
        versionId: run.versionId ?? "",
        data: { kind: "dag", callback, reason: reason ?? state },
      });
    }
    // A timeout has logged its own line already.
    if (reason && reason !== "timed_out")
      await logEvent(tx, { event: reason, dagId: run.dagId, runId: run.runId, owner: "scheduler" });
  }
  const limits = new Map<string, number>();
  for (const { run, state, graph } of ends) {
    const limit = graph.dag.maxConsecutiveFailedDagRuns;
    if (state === "failed" && limit > 0) limits.set(run.dagId, limit);
  }
  // In id order, so that two schedulers that end runs of the same DAGs cannot deadlock.
  for (const [dagId, limit] of [...limits].sort(([a], [b]) => (a < b ? -1 : 1))) await pauseAfterFailures(tx, dagId, limit);
}

/** If two runs fail at once in two schedulers, each count would miss the other run; hence the lock before the count. */
async function pauseAfterFailures(tx: Db, dagId: string, limit: number): Promise<void> {
  await lockStreak(tx, dagId);
  if ((await failedStreak(tx, dagId, limit)) < limit || !(await pauseDag(tx, dagId))) return;
  await logEvent(tx, { event: "paused", dagId, owner: "scheduler", extra: { reason: `${limit} runs failed in a row` } });
}
