/**
 * Lazarus: the last resort for a running DAG run that has stalled. Events advance a run at once, and the full scan of
 * `evaluate-runs.ts` finds within a minute what an event missed. A run that escaped both has nothing in flight and no task instance
 * that changed for `lazarusSec`, although something is due: a task that may run, the run's end, a retry without a time, or a DAG
 * version that cannot be read. It is evaluated again from the database, `lazarusAttempts` times with `lazarusSec` between them, and
 * then failed with the reason. Any change in between resets the count.
 *
 * A run that waits for a reason (an earlier run, a retry's time) is left alone, however long that takes.
 */

import { toError } from "../platform/index.ts";
import {
  addRunNote,
  type Db,
  endRun,
  findPictureRows,
  findSkipDecisions,
  heldByPast,
  inSavepoint,
  type LifelessRun,
  lockLifelessRuns,
  logEvent,
  reviveRun,
  skipUnfinished,
} from "../store/index.ts";
import { isPoisoned, readableGraph } from "./commands/dag-cache.ts";
import { buildPicture, judgeRun } from "./core/run-picture.ts";
import { isOnesFault, setFaultsAside } from "./culprits.ts";
import { noteRunEnds } from "./end-runs.ts";
import { judgeWithLengths } from "./judge-with-lengths.ts";
import { pastNeeds } from "./past-needs.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

const RUNS_MAX = 50;

export type LazarusReport = { revived: number; failed: number };

export async function reviveLifelessRuns(resources: SchedulerResources, options: SchedulerOptions): Promise<LazarusReport> {
  const report: LazarusReport = { revived: 0, failed: 0 };
  for (let after: number | null = 0; after !== null; ) {
    const batch = await reviveBatch(resources, options, after);
    report.revived += batch.revived;
    report.failed += batch.failed;
    after = batch.last;
  }
  return report;
}

/** `last`: what the next batch comes after; null = there is none. */
async function reviveBatch(
  resources: SchedulerResources,
  options: SchedulerOptions,
  after: number,
): Promise<LazarusReport & { last: number | null }> {
  return resources.store.transaction(async (tx) => {
    const report = { revived: 0, failed: 0 };
    const runs = await lockLifelessRuns(tx, options.lazarusSec, RUNS_MAX, after);
    for (const run of runs) {
      try {
        const done = await inSavepoint(tx, () => reviveOne(tx, resources, options, run));
        if (done !== null) report[done]++;
      } catch (error) {
        if (!isOnesFault(error)) throw error;
        await setFaultsAside(resources, options, [{ kind: "run", subject: String(run.id), error: toError(error) }], tx);
      }
    }
    return { ...report, last: runs.length < RUNS_MAX ? null : (runs.at(-1)?.id ?? null) };
  });
}

/** null = it waits for a reason. */
async function reviveOne(
  tx: Db,
  resources: SchedulerResources,
  options: SchedulerOptions,
  run: LifelessRun,
): Promise<keyof LazarusReport | null> {
  const cause = await findCause(tx, resources, run);
  if (cause === null) return null;
  const where = { dagId: run.dagId, runId: run.runId };
  const gaveUp = run.attempts >= options.lazarusAttempts;
  const attempt = run.attempts + 1;
  resources.logger.warn({ ...where, cause, attempt }, gaveUp ? "a halted run is failed" : "a halted run is put back on its way");
  if (gaveUp) {
    await failRun(tx, resources, run, cause);
    return "failed";
  }
  await reviveRun(tx, run.id, attempt);
  await logEvent(tx, { event: "lazarus", owner: "scheduler", ...where, extra: { cause, attempt } });
  return "revived";
}

/** What is due in the run, as text; null = it waits for a reason. */
async function findCause(tx: Db, { dags }: SchedulerResources, run: LifelessRun): Promise<string | null> {
  try {
    const { graph } = await dags.get(tx, run.versionId ?? "");
    if (run.hasLost) return "a retry or a rescheduled poke had no time at which it was due";
    if (run.hasDue) return null;
    const decisions = run.clearNumber > 0 ? await findSkipDecisions(tx, run.id) : [];
    const picture = buildPicture(graph, await findPictureRows(tx, run.id), run.evaluation, decisions);
    const held = graph.needsPast.size > 0 ? await heldByPast(tx, run.id, pastNeeds(graph), graph.dag.catchup) : new Set<string>();
    const { changes } = await judgeWithLengths(tx, run.id, picture, (task) => held.has(graph.tasks[task]?.taskId ?? ""));
    if (changes.length > 0) {
      const taskIds = [...new Set(changes.map((change) => graph.tasks[change.task]?.taskId ?? ""))];
      return `nothing moved, although ${taskIds.slice(0, 3).join(", ")}${taskIds.length > 3 ? " and others" : ""} could`;
    }
    const verdict = judgeRun(picture, run.endsAs);
    return verdict === "running" ? null : `the run was not ended, although it is ${verdict}`;
  } catch (error) {
    if (!isPoisoned(error)) throw error;
    return `the run cannot be evaluated: ${error.message}`;
  }
}

async function failRun(tx: Db, { dags }: SchedulerResources, run: LifelessRun, cause: string): Promise<void> {
  const reason = `Failed by Lazarus after ${run.attempts} attempts to put the run back on its way: ${cause}.`;
  await skipUnfinished(tx, run.id, `its DAG run came to a halt: ${cause}`);
  await endRun(tx, run.id, "failed");
  await addRunNote(tx, run.id, reason);
  await logEvent(tx, {
    event: "lazarus_gave_up",
    dagId: run.dagId,
    runId: run.runId,
    owner: "scheduler",
    extra: { cause, attempts: run.attempts },
  });
  const graph = await readableGraph(dags, tx, run.versionId ?? "");
  if (graph) await noteRunEnds(tx, [{ run, state: "failed", reason: "lazarus_gave_up", graph }]);
}
