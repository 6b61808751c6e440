import type { RunnerCalls } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import { checkRunId, clearRun, createDagRun, tellCreated } from "../scheduler/commands/index.ts";
import { findDag, findRun } from "../store/index.ts";
import type { CallResources, ExecutionApiOptions } from "./resources.ts";
import { actorOf } from "./stale-try.ts";

/** `runAfter`: the earliest moment at which the run may start; the logical date or now if left out. */
export type TriggerRequest = RunnerCalls["triggerDagRun"]["params"] & { runAfter?: Date | null };

/**
 * Creates a run that a task requested. If a run with that id or logical date exists, it is cleared if requested, and the answer is
 * `created: false`. `tryId`: the try of the task that requests it.
 */
export async function triggerDagRun(
  resources: CallResources,
  options: ExecutionApiOptions,
  params: TriggerRequest,
  tryId: string,
): Promise<RunnerCalls["triggerDagRun"]["result"]> {
  const { store, dags, clock, logger, metrics } = resources;
  const { dagId, logicalDate, conf, note, runAfter = null } = params;
  const mayBeInFuture = options.allowTriggerInFuture;
  const request = {
    dagId,
    runId: params.runId,
    logicalDate,
    runAfter,
    conf,
    note,
    triggeredBy: "operator" as const,
    mayBeInFuture,
  };
  checkRunId(params.runId, options.allowedRunId);
  const isPaused = async () => ((await findDag(store, dagId))?.isPaused ? { isPaused: true } : {});
  try {
    const created = await createDagRun(store, dags, options.defaultExecutor, request, new Date(clock.now()));
    tellCreated({ metrics, logger }, created);
    return { runId: created.runId, created: true, ...(await isPaused()) };
  } catch (error) {
    if (!(error instanceof BaramError) || error.code !== "dag_run_exists") throw error;
    // The existing run with the same id or date.
    const existing = await findRun(store, dagId, String(error.facts.runId));
    if (!existing) throw error;
    logger.debug({ dagId, runId: existing.runId }, "the run to trigger already exists");
    if (params.resetDagRun) await clearRun(store, dagId, existing.runId, await actorOf(store, tryId));
    return { runId: existing.runId, created: false, ...(await isPaused()) };
  }
}
