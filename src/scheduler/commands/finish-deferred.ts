import type { JsonObject, Outcome } from "../../contracts/index.ts";
import { type Db, type FinishGuard, finishTries, insertCallback, type Store, triesByIds } from "../../store/index.ts";
import type { Graph } from "../core/graph.ts";
import { type DagCache, readableGraph } from "./dag-cache.ts";
import { endOf, finishFailed } from "./finish-by-outcome.ts";

type EndOfWait = Extract<Outcome, { state: "success" | "failed" | "skipped" }>;
const GUARD: FinishGuard = { leaving: ["deferred"], silentForSec: null };

/**
 * Finishes a deferred try as its trigger says, without resuming it on a worker, and leaves its callback to a workload of its own.
 * false = it was not deferred any more.
 */
export async function finishDeferred(store: Store, cache: DagCache, id: string, outcome: EndOfWait): Promise<boolean> {
  return store.transaction(async (tx) =>
    outcome.state === "failed"
      ? (await finishFailed(tx, cache, id, { ...outcome, owesCallback: true }, GUARD)).length > 0
      : finishWithoutFailure(tx, cache, id, outcome),
  );
}

/** The length of the result, if other tasks are mapped over it; for other tries the runner counts it. */
function lengthOf(graph: Graph, taskId: string, { xcoms }: Extract<EndOfWait, { state: "success" }>): number | null {
  const task = graph.indexOf.get(taskId) ?? -1;
  const value = xcoms.find(({ key }) => key === "return_value")?.value;
  if (!graph.expandedAfter.has(task) || value === undefined) return null;
  if (graph.mapped.has(task)) return 1;
  return typeof value === "object" && value !== null ? Object.keys(value).length : null;
}

async function finishWithoutFailure(
  tx: Db,
  cache: DagCache,
  id: string,
  outcome: Exclude<EndOfWait, { state: "failed" }>,
): Promise<boolean> {
  const [fact] = await triesByIds(tx, [id]);
  if (!fact) return false;
  const graph = await readableGraph(cache, tx, fact.versionId);
  const mapLength = graph && outcome.state === "success" ? lengthOf(graph, fact.taskId, outcome) : null;
  const [finished] = await finishTries(tx, [{ ...endOf({ id, outcome }), mapLength }], GUARD);
  if (!finished) return false;
  const callback = outcome.state === "success" ? "onSuccess" : "onSkipped";
  if (!graph?.tasks[graph.indexOf.get(fact.taskId) ?? -1]?.callbacks[callback]) return true;
  const { taskId, mapIndex, tryNumber, maxTries } = fact;
  const ti = { id, taskId, mapIndex, tryNumber, maxTries, startDate: finished.startDate?.toISOString() ?? null };
  const reason = outcome.state === "skipped" ? outcome.reason : "the trigger ended the task";
  const data: JsonObject = { kind: "task", callback, reason, ti };
  await insertCallback(tx, { dagRunId: fact.dagRunId, versionId: fact.versionId, data });
  return true;
}
