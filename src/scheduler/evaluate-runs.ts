import { type DagRunState, isTerminal } from "../contracts/index.ts";
import { type Metrics, secondsSince } from "../platform/index.ts";
import {
  type AsideKey,
  addRunNote,
  applyChanges,
  type ClaimedRun,
  claimRuns,
  completeBackfills,
  type Db,
  type Evaluation,
  expandTasks,
  findPictureRows,
  findSkipDecisions,
  forgetResults,
  givePlace,
  heldByPast,
  logEvent,
  type MeasuredEnd,
  type Only,
  recordEvaluations,
  type StateChange,
  skipUnfinished,
  type TaskExpansion,
  wakeLaterRuns,
} from "../store/index.ts";
import { isPoisoned, readableGraph } from "./commands/dag-cache.ts";
import { logPathOf } from "./commands/log-path.ts";
import { runTimedOut } from "./commands/stop-reason.ts";
import {
  applyEvent,
  buildPicture,
  type Change,
  hasNothingOnItsWay,
  judgeRun,
  type RunPicture,
  retryDue,
} from "./core/run-picture.ts";
import { exceptCulprits, setFaultsAside } from "./culprits.ts";
import { noteRunEnds, type RunEnd } from "./end-runs.ts";
import { judgeWithLengths } from "./judge-with-lengths.ts";
import { pastNeeds } from "./past-needs.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** The result of one evaluation, and what must be done once its transaction has committed. */
export type Evaluated = {
  readonly claimed: number;
  readonly ended: number;
  /** Of runs that go on: their pictures, to be kept in memory. */
  readonly kept: ReadonlyMap<number, RunPicture>;
  /**
   * Measures of runs that ended. To be awaited inside the transaction: the last writes are pipelined with the statements that
   * follow.
   */
  readonly written: Promise<readonly MeasuredEnd[]>;
  readonly checks: readonly { dagId: string; sec: number }[];
  /** Backfills of runs that ended. */
  readonly backfillIds: ReadonlySet<number>;
  /** Lines for the logs of tries that were stopped by their run's end. */
  readonly lateTries: readonly { logPath: string; message: string }[];
};

/**
 * Claims runs in which something happened, decides what may run now, and writes it, all in the caller's transaction. The pictures
 * are removed from memory first, and `settleEvaluation` puts them back after the commit, so that a transaction that fails or runs
 * again never leaves a picture ahead of the database.
 */
export async function evaluateRuns(
  tx: Db,
  resources: SchedulerResources,
  options: SchedulerOptions,
  only: Only,
  evenIdle: boolean,
): Promise<Evaluated> {
  const { pictures } = resources;
  const kept = new Map<number, RunPicture>();
  const checks: { dagId: string; sec: number }[] = [];
  const claimed = await claimRuns(tx, options.maxRunsToEvaluate, only, evenIdle);
  await resources.pause("after-claim");
  const changes: StateChange[] = [];
  const expansions: TaskExpansion[] = [];
  const evaluations: Evaluation[] = [];
  const ends: RunEnd[] = [];
  const lateTries: { logPath: string; message: string }[] = [];
  const unreadable: (AsideKey & { error: Error })[] = [];
  for (const run of claimed) {
    const remembered = pictures.get(run.id);
    pictures.delete(run.id);
    if (run.state === "queued") await wakeThoseThatWait(tx, resources, run);
    if (run.state !== "running") continue;
    const checkedFrom = performance.now();
    try {
      const { graph } = await resources.dags.get(tx, run.versionId ?? "");
      if (run.isTimedOut) {
        lateTries.push(...(await stopTimedOut(tx, run)));
        evaluations.push({ id: run.id, state: "failed", rescan: false });
        ends.push({ run, state: "failed", reason: "timed_out", graph });
        continue;
      }
      const picture = await pictureOf(tx, run, remembered, () => graph);
      const held =
        graph.needsPast.size > 0 ? await heldByPast(tx, run.id, pastNeeds(graph), graph.dag.catchup) : new Set<string>();
      const decided = (run.due ?? []).flatMap((due) =>
        due.taskId === null ? [] : (retryDue(picture, { ...due, taskId: due.taskId }) ?? []),
      );
      const judged = await judgeWithLengths(tx, run.id, picture, (task) => held.has(graph.tasks[task]?.taskId ?? ""));
      decided.push(...judged.changes);
      for (const change of judged.changes) if (change.reason !== undefined) await noteReason(tx, run, picture, change);
      for (const { task, ...shape } of judged.expansions)
        expansions.push({ dagRunId: run.id, taskId: graph.tasks[task]?.taskId ?? "", ...shape });
      for (const change of decided)
        changes.push({
          dagRunId: run.id,
          taskId: graph.tasks[change.task]?.taskId ?? "",
          mapIndex: change.mapIndex,
          from: change.from,
          to: change.to,
        });
      const verdict = judgeRun(picture, run.endsAs);
      const state: DagRunState | null = verdict === "running" ? null : verdict === "deadlocked" ? "failed" : verdict;
      evaluations.push({ id: run.id, state, rescan: held.size > 0 });
      const isIdle = state === null && held.size > 0 && hasNothingOnItsWay(picture);
      const isInQueue = isIdle && (await letEarlierRunGoFirst(tx, run, graph.dag.catchup));
      if (verdict === "deadlocked") await addRunNote(tx, run.id, deadlockNote(picture));
      if (state === "success" || state === "failed")
        ends.push({ run, state, reason: verdict === "deadlocked" ? "all_tasks_deadlocked" : null, graph });
      if (graph.needsPast.size > 0 && run.logicalDate) await wakeLaterRuns(tx, run.dagId, run.logicalDate);
      checks.push({ dagId: run.dagId, sec: secondsSince(checkedFrom) });
      picture.evaluation = run.evaluation + 1;
      if (state === null && !isInQueue) kept.set(run.id, picture);
    } catch (error) {
      if (!isPoisoned(error)) throw error;
      // A trial fails as a whole, and the run stays set aside.
      if (evenIdle) throw error;
      unreadable.push({ kind: "run", subject: String(run.id), error });
      // Its events are deleted from the outbox, so pictures of it are out of date.
      evaluations.push({ id: run.id, state: null, rescan: false });
    }
  }
  await setFaultsAside(resources, options, unreadable, tx);
  let isOvertaken = false;
  if (expansions.length > 0) {
    isOvertaken = (await expandTasks(tx, expansions)) < expansions.length;
    await resources.pause("after-expansion");
  }
  const write = async (): Promise<MeasuredEnd[]> => {
    const retried = changes.filter(({ from, to }) => from === "up_for_retry" && to === "scheduled");
    const [applied, measured] = await Promise.all([
      changes.length > 0 ? applyChanges(tx, changes) : 0,
      evaluations.length > 0 ? recordEvaluations(tx, evaluations, options.fullScanSec) : [],
      retried.length > 0 ? forgetResults(tx, retried) : null,
    ]);
    if (!isOvertaken && applied === changes.length) return measured;
    // Another writer changed an instance first; the pictures are out of date.
    kept.clear();
    const rescans = evaluations.map((evaluation) => ({ ...evaluation, rescan: true }));
    await recordEvaluations(tx, rescans, options.fullScanSec);
    return measured;
  };
  const written = write();
  // If another statement of the transaction fails first, nothing awaits this one.
  written.catch(() => {});
  if (ends.length > 0) {
    await written;
    await noteRunEnds(tx, ends);
  }
  const endedIds = new Set(ends.map(({ run }) => run.id));
  const backfillIds = new Set(claimed.flatMap((run) => (endedIds.has(run.id) ? (run.backfillId ?? []) : [])));
  return { claimed: claimed.length, ended: ends.length, kept, written, checks, backfillIds, lateTries };
}

/** To be called once the transaction has committed. */
export async function settleEvaluation(
  resources: SchedulerResources,
  options: SchedulerOptions,
  { kept, checks, backfillIds, lateTries }: Evaluated,
  measured: readonly MeasuredEnd[],
): Promise<void> {
  const { store, pictures, metrics, logger, noteInTryLog } = resources;
  for (const [id, picture] of kept) pictures.set(id, picture);
  forgetOldest(pictures);
  // After the commit, so that of two schedulers that end a backfill's last two runs one sees both.
  const keyOf = (id: number) => ({ kind: "backfill" as const, subject: String(id) });
  await exceptCulprits(resources, options, [...backfillIds], keyOf, (ids) => completeBackfills(store, ids));
  for (const { dagId, sec } of checks) metrics.time("dagrun.dependency-check", { dag_id: dagId }, sec);
  for (const end of measured) {
    const { dagId, runId, state, durationSec } = end;
    logger.info({ dagId, runId, state, durationSec }, "run finished");
    timeRun(metrics, end);
  }
  await Promise.all(lateTries.map(({ logPath, message }) => noteInTryLog(logPath, message)));
}

function timeRun(metrics: Metrics, { dagId: dag_id, state, durationSec, firstTaskDelaySec }: MeasuredEnd): void {
  const name = state === "success" ? "dagrun.duration.success" : "dagrun.duration.failed";
  if (durationSec !== null) metrics.time(name, { dag_id }, durationSec);
  if (firstTaskDelaySec !== null) metrics.time("dagrun.first_task_scheduling_delay", { dag_id }, firstTaskDelaySec);
}

/**
 * A run that waits for its past and has no task in progress gives its place to an earlier queued run: it may be waiting for that
 * very run, and without the swap neither would ever go on.
 */
async function letEarlierRunGoFirst(tx: Db, run: ClaimedRun, catchup: boolean): Promise<boolean> {
  const first = await givePlace(tx, run.id, catchup);
  if (first === null) return false;
  const reason = `it waits for earlier runs, and run "${first}" was held back by the limit of active runs that it filled`;
  await logEvent(tx, { event: "requeued", dagId: run.dagId, runId: run.runId, owner: "scheduler", extra: { reason, first } });
  return true;
}

/** A running run may be waiting for one that was just queued again, while occupying its place. */
async function wakeThoseThatWait(tx: Db, { dags }: SchedulerResources, run: ClaimedRun): Promise<void> {
  if (run.logicalDate === null || run.versionId === null) return;
  const graph = await readableGraph(dags, tx, run.versionId);
  if (graph && graph.needsPast.size > 0) await wakeLaterRuns(tx, run.dagId, run.logicalDate);
}

/**
 * Skips the unfinished tasks of a run past its dagrunTimeout, and records that in its note and in the audit log; returns the lines
 * for its tries' logs.
 */
async function stopTimedOut(tx: Db, run: ClaimedRun): Promise<{ logPath: string; message: string }[]> {
  const { dagId, runId, timeoutSec } = run;
  const skipped = await skipUnfinished(tx, run.id, runTimedOut(timeoutSec));
  const reason = `Failed after its dagrunTimeout of ${timeoutSec} s; task instances that had not ended, and were skipped: ${skipped.length}.`;
  await addRunNote(tx, run.id, reason);
  await logEvent(tx, { event: "timed_out", dagId, runId, owner: "scheduler", extra: { timeoutSec, skipped: skipped.length } });
  const message = `the scheduler ended this try: ${runTimedOut(timeoutSec)}`;
  return skipped.filter(({ hasBegun }) => hasBegun).map((one) => ({ logPath: logPathOf(one), message }));
}

/** The note of a run that is failed because none of its tasks can ever run. */
function deadlockNote({ graph, instances }: RunPicture): string {
  const waiting = graph.tasks.flatMap(({ taskId }, at) =>
    [...(instances[at]?.values() ?? [])].some(({ state }) => !isTerminal(state)) ? [taskId] : [],
  );
  const more = waiting.length > NAMED_MAX ? ` and ${waiting.length - NAMED_MAX} more` : "";
  return `Failed: deadlock. These tasks wait for each other or for something that cannot happen, and none can run: ${waiting.slice(0, NAMED_MAX).join(", ")}${more}.`;
}

/** So many task ids of any length fit into a note. */
const NAMED_MAX = 3;

/** There is no log of a try that could say why. */
async function noteReason(tx: Db, run: ClaimedRun, picture: RunPicture, { task, to, reason }: Change): Promise<void> {
  const taskId = picture.graph.tasks[task]?.taskId;
  const extra = { state: to, reason: reason ?? "" };
  await logEvent(tx, { event: "not_expanded", dagId: run.dagId, runId: run.runId, taskId, owner: "scheduler", extra });
}

async function pictureOf(
  tx: Db,
  run: ClaimedRun,
  remembered: RunPicture | undefined,
  graph: () => RunPicture["graph"],
): Promise<RunPicture> {
  if (remembered && remembered.evaluation === run.evaluation) {
    const known = (run.events ?? []).every(
      (event) => event.taskId !== null && applyEvent(remembered, { ...event, taskId: event.taskId }),
    );
    // A run claimed without an event is a safety scan: it reads the database instead of the picture.
    if (known && (run.events || run.due)) return remembered;
  }
  const facts = await findPictureRows(tx, run.id);
  const decisions = run.clearNumber > 0 ? await findSkipDecisions(tx, run.id) : [];
  return buildPicture(graph(), facts, run.evaluation, decisions);
}

/** Pictures of this many runs are cached; others are rebuilt from the database. */
const PICTURES_MAX = 2_000;

function forgetOldest(pictures: Map<number, RunPicture>): void {
  for (const id of pictures.keys()) {
    if (pictures.size <= PICTURES_MAX) return;
    pictures.delete(id);
  }
}
