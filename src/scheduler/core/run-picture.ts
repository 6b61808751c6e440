/**
 * A scheduler's picture of one running DAG run, and the pure rules that move it on.
 *
 * The picture is built from the task instances once and then kept up by the outbox: each event names an instance and its
 * new state. Per task it holds the counts of upstream states, so an event costs the out-degree of its task, whatever the
 * size of the run. It is valid only while the run's `evaluation` number in the database is the one it was built at.
 *
 * A task instance here is in one of four conditions:
 * - waiting (state null): `judge` may move it to scheduled, skipped, upstream_failed or, for an empty task, success;
 * - due (up_for_retry, up_for_reschedule): `retryDue` moves it to scheduled when its time has come;
 * - in flight (scheduled, queued, running, restarting, deferred): only an event moves it;
 * - done (success, failed, skipped, upstream_failed, removed): only a clear moves it, which makes the picture invalid.
 */
import { isTerminal, type SerializedTask, type TaskInstanceState } from "../../contracts/index.ts";
import type { Graph } from "./graph.ts";
import { findNotTaken, type SkipDecisionFacts } from "./skip-decisions.ts";
import { judgeTriggerRule, type UpstreamCounts, type Verdict } from "./trigger-rules.ts";

export type InstanceFacts = { taskId: string; mapIndex: number; state: TaskInstanceState | null };
export type Instance = { readonly task: number; readonly mapIndex: number; state: TaskInstanceState | null };

/** What the scheduler shall write: guarded by `from`, so that whoever was faster wins. */
export type Change = { task: number; mapIndex: number; from: TaskInstanceState | null; to: TaskInstanceState };

export type RunPicture = {
  readonly graph: Graph;
  evaluation: number;
  readonly instances: readonly Instance[][];
  readonly counts: readonly UpstreamCounts[];
  /** Instances that are not done. */
  unfinished: number;
  /** Instances with state null. */
  waiting: number;
  /** Tasks to judge again. */
  readonly dirty: Set<number>;
  /** Of a run that was cleared: tells the instances that a branch or short circuit decided against, which still stands. */
  readonly notTaken: ((instance: Instance) => boolean) | null;
};

/** Builds the picture; every waiting task is up for judgement. Instances of tasks that the version lacks are left out. */
export function buildPicture(
  graph: Graph,
  facts: readonly InstanceFacts[],
  evaluation: number,
  decisions: readonly SkipDecisionFacts[] = [],
): RunPicture {
  const instances: Instance[][] = graph.tasks.map(() => []);
  for (const fact of facts) {
    const task = graph.indexOf.get(fact.taskId);
    if (task !== undefined) instances[task]?.push({ task, mapIndex: fact.mapIndex, state: fact.state });
  }
  const picture: RunPicture = {
    graph,
    evaluation,
    instances,
    counts: graph.tasks.map(emptyCounts),
    unfinished: 0,
    waiting: 0,
    dirty: new Set(),
    notTaken: decisions.length > 0 ? findNotTaken(graph, instances, decisions) : null,
  };
  for (const [task, list] of instances.entries()) {
    for (const instance of list) {
      if (!isTerminal(instance.state)) picture.unfinished++;
      if (instance.state === null) picture.waiting++;
      count(picture, task, instance.state, +1);
    }
    if (list.some((instance) => instance.state === null)) picture.dirty.add(task);
  }
  return picture;
}

/** Takes over what an event reports. Returns false if the picture does not know the instance and must be built anew. */
export function applyEvent(picture: RunPicture, event: InstanceFacts): boolean {
  const task = picture.graph.indexOf.get(event.taskId);
  const instance = task === undefined ? undefined : picture.instances[task]?.find((one) => one.mapIndex === event.mapIndex);
  if (!instance) return false;
  move(picture, instance, event.state);
  return true;
}

/**
 * Judges every task that the events touched, and what follows from that (a skip cascades at once), and returns the
 * changes in an order in which they may be written. `isHeld` tells that a task must still wait for an earlier run.
 */
export function judge(picture: RunPicture, isHeld: (task: number) => boolean): Change[] {
  const changes: Change[] = [];
  const held: number[] = [];
  for (let next = first(picture.dirty); next !== undefined; next = first(picture.dirty)) {
    picture.dirty.delete(next);
    const task = picture.graph.tasks[next];
    const counts = picture.counts[next];
    if (!task || !counts) continue;
    for (const instance of picture.instances[next] ?? []) {
      if (instance.state !== null) continue;
      const verdict = judgeInstance(picture, instance, task, counts);
      if (verdict === "wait") continue;
      const waitsForPast = verdict === "run" || (verdict === "skipped" && task.waitForPastDependsBeforeSkipping);
      if (waitsForPast && picture.graph.needsPast.has(next) && isHeld(next)) {
        held.push(next);
        continue;
      }
      const to = verdict !== "run" ? verdict : task.isEmpty ? "success" : "scheduled";
      changes.push({ task: next, mapIndex: instance.mapIndex, from: null, to });
      move(picture, instance, to);
    }
  }
  for (const task of held) picture.dirty.add(task);
  return changes;
}

/** What decides before the trigger rule: a branch that was not taken, and the setups that the task stands on. */
function judgeInstance(picture: RunPicture, instance: Instance, task: SerializedTask, counts: UpstreamCounts): Verdict {
  if (picture.notTaken?.(instance)) return "skipped";
  const setups = picture.graph.indirectSetups.get(instance.task);
  const before = setups ? judgeSetups(setups.flatMap((setup) => picture.instances[setup] ?? [])) : "run";
  return before === "run" ? judgeTriggerRule(task.triggerRule, counts) : before;
}

/** Airflow's setup constraint: one that failed or was skipped decides at once, and none may be left out. */
function judgeSetups(setups: readonly Instance[]): Verdict {
  const some = (...states: (TaskInstanceState | null)[]) => setups.some(({ state }) => states.includes(state));
  if (some("failed", "upstream_failed")) return "upstream_failed";
  if (some("skipped")) return "skipped";
  return setups.every(({ state }) => state === "success" || state === "removed") ? "run" : "wait";
}

/** Puts a retry or a rescheduled poke whose time has come back on the way. */
export function retryDue(picture: RunPicture, fact: InstanceFacts): Change | null {
  const task = picture.graph.indexOf.get(fact.taskId);
  const instance = task === undefined ? undefined : picture.instances[task]?.find((one) => one.mapIndex === fact.mapIndex);
  if (task === undefined || !instance || (fact.state !== "up_for_retry" && fact.state !== "up_for_reschedule")) return null;
  move(picture, instance, "scheduled");
  return { task, mapIndex: fact.mapIndex, from: fact.state, to: "scheduled" };
}

/**
 * How the run stands: it ends when no instance is left, or when none can ever move again. `endsAs`: somebody ended it,
 * and it only waits for its teardowns; one that asks to count can still fail it.
 */
export function judgeRun(
  picture: RunPicture,
  endsAs: "success" | "failed" | null = null,
): "running" | "success" | "failed" | "deadlocked" {
  if (picture.unfinished > 0) {
    const stuck = picture.waiting === picture.unfinished && picture.dirty.size === 0 && picture.graph.needsPast.size === 0;
    return stuck ? "deadlocked" : "running";
  }
  if (endsAs === "failed") return "failed";
  for (const task of picture.graph.deciding) {
    if (picture.instances[task]?.some(({ state }) => state === "failed" || state === "upstream_failed")) return "failed";
  }
  return "success";
}

function move(picture: RunPicture, instance: Instance, to: TaskInstanceState | null): void {
  const from = instance.state;
  if (from === to) return;
  instance.state = to;
  if (isTerminal(from) !== isTerminal(to)) picture.unfinished += isTerminal(to) ? -1 : 1;
  if (from === null) picture.waiting--;
  if (to === null) {
    picture.waiting++;
    picture.dirty.add(instance.task);
  }
  count(picture, instance.task, from, -1);
  count(picture, instance.task, to, +1);
  if (!isTerminal(to)) return;
  for (const child of picture.graph.downstream[instance.task] ?? []) picture.dirty.add(child);
  for (const child of picture.graph.indirectWork.get(instance.task) ?? []) picture.dirty.add(child);
}

function count(picture: RunPicture, task: number, state: TaskInstanceState | null, by: 1 | -1): void {
  const isSetup = picture.graph.tasks[task]?.isSetup ?? false;
  for (const child of picture.graph.downstream[task] ?? []) {
    const counts = picture.counts[child];
    if (!counts || state === "removed") continue;
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
}

function emptyCounts(): UpstreamCounts {
  return { total: 0, success: 0, failed: 0, upstreamFailed: 0, skipped: 0, setupTotal: 0, setupSuccess: 0, setupSkipped: 0 };
}

function first(set: ReadonlySet<number>): number | undefined {
  for (const value of set) return value;
  return undefined;
}
