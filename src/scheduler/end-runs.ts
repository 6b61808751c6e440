import type { ClaimedRun, Db } from "../store/index.ts";
import { failedStreak, insertCallback, logEvent, pauseDag } from "../store/index.ts";
import type { Graph } from "./core/graph.ts";

export type RunEnd = {
  run: ClaimedRun;
  state: "success" | "failed";
  reason: "timed_out" | "all_tasks_deadlocked" | null;
  graph: Graph;
};

/** What is owed when runs end: their DAG's callback, the pause after too many failures, a line in the audit log. */
export async function noteRunEnds(tx: Db, ends: readonly RunEnd[]): Promise<void> {
  for (const { run, state, reason, graph } of ends) {
    const { dag } = graph;
    if (state === "success" ? dag.hasOnSuccessCallback : dag.hasOnFailureCallback) {
      const callback = state === "success" ? "onSuccess" : "onFailure";
      await insertCallback(tx, {
        dagRunId: run.id,
        versionId: run.versionId ?? "",
        data: { kind: "dag", callback, reason: reason ?? state },
      });
    }
    if (reason) await logEvent(tx, { event: reason, dagId: run.dagId, runId: run.runId, owner: "scheduler" });
    if (state === "failed" && dag.maxConsecutiveFailedDagRuns > 0) {
      const limit = dag.maxConsecutiveFailedDagRuns;
      if ((await failedStreak(tx, run.dagId, limit)) >= limit) {
        await pauseDag(tx, run.dagId);
        await logEvent(tx, {
          event: "paused",
          dagId: run.dagId,
          owner: "scheduler",
          extra: { reason: `${limit} runs failed in a row` },
        });
      }
    }
  }
}
