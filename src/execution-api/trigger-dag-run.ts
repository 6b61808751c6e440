import type { RunnerCalls } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import { checkRunId, clearRunWithin, createDagRun, tellCreated } from "../scheduler/commands/index.ts";
import { findDag, findRun, type Store } from "../store/index.ts";
import { actorOf, type Caller, type CallingTry, callerOf, logByTask } from "./log-by-task.ts";

/** `runAfter`: the earliest moment at which the run may start; the logical date or now if left out. */
export type TriggerRequest = RunnerCalls["triggerDagRun"]["params"] & { runAfter?: Date | null };

/**
 * Creates a run that a task requested. If a run with that id or logical date exists, it is cleared if requested, and the answer is
 * `created: false`.
 */
export async function triggerDagRun(
  { resources, options, ...calling }: Caller,
  params: TriggerRequest,
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
    const created = await store.transaction(async (tx) => {
      const by = await callerOf(tx, calling);
      const run = await createDagRun(tx, dags, options.defaultExecutor, request, new Date(clock.now()));
      await logByTask(tx, by, "task_dag_trigger", { dagId, runId: run.runId });
      return run;
    });
    tellCreated({ metrics, logger }, created);
    return { runId: created.runId, created: true, ...(await isPaused()) };
  } catch (error) {
    if (!(error instanceof BaramError) || error.code !== "dag_run_exists") throw error;
    // The existing run with the same id or date.
    const existing = await findRun(store, dagId, String(error.facts.runId));
    if (!existing) throw error;
    logger.debug({ dagId, runId: existing.runId }, "the run to trigger already exists");
    if (params.resetDagRun) await clearByTask(store, calling, dagId, existing.runId);
    return { runId: existing.runId, created: false, ...(await isPaused()) };
  }
}

/** Clears a run that a task requested to run again, and writes it down under the task's name. */
export async function clearByTask(store: Store, calling: CallingTry, dagId: string, runId: string): Promise<void> {
  await store.transaction(async (tx) => {
    const by = await callerOf(tx, calling);
    const cleared = await clearRunWithin(tx, dagId, runId, actorOf(by));
    await logByTask(tx, by, "task_run_clear", { dagId, runId, extra: { instances: cleared.length } });
  });
}
