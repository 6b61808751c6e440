/**
 * A scheduler's picture of one running DAG run, and the pure rules that advance it.
 *
 * The picture is built from the task instances once and then updated from the outbox: each event names an instance and its new
 * state. Per task it holds the counts of upstream states, so the cost of an event is the out-degree of its task, independent of the
 * size of the run and of the number of mapped instances. It is valid only while the run's `evaluation` number in the database is
 * unchanged since the last update.
 *
 * A task instance here is in one of four conditions:
 * - waiting (state null): `judge` may move it to scheduled, skipped, upstream_failed or, for an empty task, success;
 * - due (up_for_retry, up_for_reschedule): `retryDue` moves it to scheduled when its time has come;
 * - in flight (scheduled, queued, running, restarting, deferred): only an event moves it;
 * - done (success, failed, skipped, upstream_failed, removed): only a clear moves it, which makes the picture invalid. A mapped
 *   task has one instance with index -1 until it is expanded; see `expand.ts`.
 */
import { isTerminal, type SerializedTask, type TaskInstanceState } from "../../contracts/index.ts";
import { type Expansion, settle } from "./expand.ts";
import { areTogether, type Graph } from "./graph.ts";
import {
  addInstance,
  countsOf,
  createPicture,
  findInstance,
  forgetJudgement,
  type Instance,
  type InstanceFacts,
  markDirty,
  move,
  type RunPicture,
} from "./picture-state.ts";
import { findNotTaken, type SkipDecisionFacts } from "./skip-decisions.ts";
import { judgeTriggerRule, type Verdict } from "./trigger-rules.ts";
import { outlineOf } from "./upstream-counts.ts";

export type { Expansion } from "./expand.ts";
export type { Instance, InstanceFacts, RunPicture } from "./picture-state.ts";

/** What the scheduler must write, guarded by `from`, so that the faster writer wins. `reason`: if it is not obvious. */
export type Change = {
  task: number;
  mapIndex: number;
  from: TaskInstanceState | null;
  to: TaskInstanceState;
  reason?: string;
};

/** To be written in this order: changes may concern instances that an expansion creates. */
export type Decisions = { expansions: Expansion[]; changes: Change[] };

/** Builds the picture; every waiting task is to be judged. Instances of tasks that the version lacks are left out. */
export function buildPicture(
  graph: Graph,
  facts: readonly InstanceFacts[],
  evaluation: number,
  decisions: readonly SkipDecisionFacts[] = [],
): RunPicture {
  const picture = createPicture(graph, evaluation);
  for (const { taskId, mapIndex, state } of facts) {
    const task = graph.indexOf.get(taskId);
    if (task === undefined) continue;
    addInstance(picture, { task, mapIndex, state });
    if (state === null) markDirty(picture, task);
  }
  if (decisions.length > 0) picture.notTaken = findNotTaken(graph, picture.instances, decisions);
  return picture;
}

/** Applies an event. Returns false if the picture does not contain the instance and must be rebuilt. */
export function applyEvent(picture: RunPicture, event: InstanceFacts): boolean {
  const instance = findInstance(picture, event);
  if (!instance) return false;
  move(picture, instance, event.state);
  return true;
}

/**
 * Judges every task that the events affected, and the consequences (a skip cascades at once), and returns what must be written.
 * `isHeld`: whether a task must still wait for an earlier run. If `picture.wanted` names tasks afterwards, read the lengths of
 * their results, pass them to the picture, and call this again.
 */
export function judge(picture: RunPicture, isHeld: (task: number) => boolean): Decisions {
  const decisions: Decisions = { expansions: [], changes: [] };
  const putOff = new Set<number>();
  for (let numbers = nextToJudge(picture); numbers.length > 0; numbers = nextToJudge(picture)) {
    for (const number of numbers) {
      const indexes = picture.dirty.get(number) ?? null;
      picture.dirty.delete(number);
      const task = picture.graph.tasks[number];
      if (!task) continue;
      for (const instance of upForJudgement(picture, number, task, indexes)) {
        const outcome = judgeInstance(picture, task, instance, decisions.expansions, isHeld);
        if (outcome === "put off") putOff.add(number);
        if (typeof outcome === "string") continue;
        decisions.changes.push({ task: number, mapIndex: instance.mapIndex, from: null, ...outcome });
        move(picture, instance, outcome.to);
      }
    }
  }
  for (const task of putOff) forgetJudgement(picture, task);
  return decisions;
}

/** Sets the lengths of the results that `judge` requested; a task left out has no result. */
export function tellLengths(picture: RunPicture, lengthOf: ReadonlyMap<string, number>): void {
  for (const source of picture.wanted) {
    const none = picture.graph.mapped.has(source) ? 0 : null;
    picture.lengths.set(source, lengthOf.get(picture.graph.tasks[source]?.taskId ?? "") ?? none);
  }
  picture.wanted.clear();
}

/** The waiting instances for which something may be decided; none if all of them certainly keep waiting. */
function upForJudgement(
  picture: RunPicture,
  number: number,
  task: SerializedTask,
  indexes: ReadonlySet<number> | null,
): Instance[] {
  const all = picture.instances[number] ?? new Map<number, Instance>();
  const isWaiting = (instance: Instance | undefined) => instance !== undefined && instance.state === null;
  const common = picture.counts[number];
  if (!common) return [];
  if (picture.countsBeside[number]?.size) {
    const outline = outlineOf(common);
    // If a thousand upstream instances end one by one, a thousand instances must not be judged each time.
    const isOld = picture.outlines.get(number) === outline;
    picture.outlines.set(number, outline);
    if (isOld) return [...(indexes ?? [])].flatMap((index) => all.get(index) ?? []).filter(isWaiting);
  } else if (!all.has(-1) && !mayDecideBefore(picture, number) && judgeTriggerRule(task.triggerRule, common) === "wait")
    return [];
  return [...all.values()].filter(isWaiting);
}

/**
 * The verdict on a waiting instance. "wait": nothing now, a later event will trigger it; "put off": judge again later, although no
 * event will trigger it.
 */
function judgeInstance(
  picture: RunPicture,
  task: SerializedTask,
  instance: Instance,
  expansions: Expansion[],
  isHeld: (task: number) => boolean,
): "wait" | "put off" | { to: TaskInstanceState; reason?: string } {
  // It may have been removed or renumbered since the list was made.
  if (instance.state !== null || picture.instances[instance.task]?.get(instance.mapIndex) !== instance) return "wait";
  const verdict = judgeReadiness(picture, instance, task);
  const mapped = picture.graph.mapped.get(instance.task);
  const waitsForPast = picture.graph.needsPast.has(instance.task) && isHeld(instance.task);
  if (verdict === "skipped" && task.waitForPastDependsBeforeSkipping && waitsForPast) return "put off";
  if (verdict === "skipped" || verdict === "upstream_failed") return { to: verdict };
  // The tasks of a mapped group are expanded as soon as their number is known: each instance then waits for itself.
  const mayExpandEarly = instance.mapIndex < 0 && mapped !== undefined && mapped.groupId !== null;
  if (verdict === "wait" && !mayExpandEarly) return "wait";
  if (mapped) {
    const readiness = settle(picture, instance.task, mapped, expansions);
    if (readiness.kind === "unknown") return "put off";
    if (readiness.kind === "ends") {
      return readiness.reason === null ? { to: readiness.to } : { to: readiness.to, reason: readiness.reason };
    }
    if (readiness.kind === "wait") {
      picture.outlines.delete(instance.task);
      return "wait";
    }
    // Instances that an expansion created are judged in their own turn; removed ones are not judged.
    if (picture.instances[instance.task]?.get(instance.mapIndex) !== instance || isTerminal(instance.state)) return "wait";
  }
  if (waitsForPast) return "put off";
  return { to: task.isEmpty ? "success" : "scheduled" };
}

/** Whether something other than the trigger rule may decide on instances of the task. */
function mayDecideBefore(picture: RunPicture, task: number): boolean {
  return picture.notTaken !== null || picture.graph.indirectSetups.has(task);
}

/** What is checked before the trigger rule: a branch that was not taken, and the setups that the task needs. */
function judgeReadiness(picture: RunPicture, instance: Instance, task: SerializedTask): Verdict {
  if (picture.notTaken?.(instance)) return "skipped";
  const setups = picture.graph.indirectSetups.get(instance.task);
  const before = setups ? judgeSetups(setups.flatMap((setup) => setupsSeen(picture, setup, instance))) : "run";
  return before === "run" ? judgeTriggerRule(task.triggerRule, countsOf(picture, instance)) : before;
}

/** The instances of a setup that a task needs: all, but in its own mapped group the one with its own index. */
function setupsSeen(picture: RunPicture, setup: number, { task, mapIndex }: Instance): Instance[] {
  const all = picture.instances[setup] ?? new Map<number, Instance>();
  if (mapIndex < 0 || !areTogether(picture.graph, setup, task)) return [...all.values()];
  return [all.get(mapIndex) ?? [], all.get(-1) ?? []].flat();
}

/** Airflow's setup constraint: a failed or skipped setup decides at once, and all must have succeeded. */
function judgeSetups(setups: readonly Instance[]): Verdict {
  const some = (...states: (TaskInstanceState | null)[]) => setups.some(({ state }) => states.includes(state));
  if (some("failed", "upstream_failed")) return "upstream_failed";
  if (some("skipped")) return "skipped";
  return setups.every(({ state }) => state === "success" || state === "removed") ? "run" : "wait";
}

/** Schedules a retry or rescheduled poke that is due. */
export function retryDue(picture: RunPicture, fact: InstanceFacts): Change | null {
  const instance = findInstance(picture, fact);
  if (!instance || (fact.state !== "up_for_retry" && fact.state !== "up_for_reschedule")) return null;
  move(picture, instance, "scheduled");
  return { task: instance.task, mapIndex: fact.mapIndex, from: fact.state, to: "scheduled" };
}

/**
 * The run's state: it ends when no instance is unfinished, or when none can ever run. `endsAs`: the run was ended by hand and only
 * waits for its teardowns; a teardown that counts towards the run's state can still fail it.
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
    for (const { state } of picture.instances[task]?.values() ?? []) {
      if (state === "failed" || state === "upstream_failed") return "failed";
    }
  }
  return "success";
}

/** Whether no instance is in flight: all unfinished ones wait for others or for a time. */
export function hasNothingOnItsWay({ instances }: RunPicture): boolean {
  for (const all of instances)
    for (const { state } of all.values())
      if (!isTerminal(state) && state !== null && state !== "up_for_retry" && state !== "up_for_reschedule") return false;
  return true;
}

/**
 * Upstream tasks first. A task is thus judged when all decisions of this round that concern its upstream tasks are made: whether it is
 * skipped or upstream_failed does not depend on the order in which events arrived.
 */
function nextToJudge({ dirty, graph }: RunPicture): number[] {
  let lowest = Number.POSITIVE_INFINITY;
  let numbers: number[] = [];
  for (const number of dirty.keys()) {
    const level = graph.levels[number] ?? 0;
    if (level > lowest) continue;
    if (level < lowest) numbers = [];
    lowest = level;
    numbers.push(number);
  }
  return numbers;
}
