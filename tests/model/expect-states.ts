import { isTerminal, type SerializedDag, type SerializedTask } from "../../src/contracts/index.ts";
import { allowedVerdicts, type ModelVerdict } from "./trigger-rules.ts";
import {
  childrenOf,
  dagOf,
  descendantsOf,
  inOrder,
  keyOf,
  type ModelInstance,
  type ModelOutcome,
  type ModelRun,
  type ModelWorld,
  type Seen,
  type State,
} from "./world.ts";

/** `scheduled` includes all states between the decision that an instance may run and the end of its try. */
export type Expected = { state: State; tryNumber: number; decided: ModelInstance["decided"] };

const ON_ITS_WAY: readonly State[] = ["queued", "running", "restarting"];

export function asExpected(state: State): State {
  return ON_ITS_WAY.includes(state) ? "scheduled" : state;
}

/**
 * The state that every instance must have when nothing is left to decide, computed from the outcomes alone. If the order in which
 * outcomes arrived allows two answers, the state that was seen is accepted if it is one of them. Queued runs are left out.
 */
export function expectStates(world: ModelWorld, seen: Seen): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  const seenStates = new Map(seen.instances.map((one) => [keyOf(one), one]));
  const queued = new Set(seen.runs.filter((run) => run.state === "queued").map((run) => `${run.dagId}/${run.runId}`));
  // An instance can only depend on earlier runs, so these come first.
  const runs = [...world.runs].sort((a, b) => (a.logicalDate ?? 0) - (b.logicalDate ?? 0));
  for (const run of runs) {
    const dag = dagOf(world, run.dagId);
    for (const task of inOrder(dag)) {
      for (const instance of world.instances.filter((one) => isOf(one, run) && one.taskId === task.taskId)) {
        const key = keyOf(instance);
        const shown = seenStates.get(key);
        if (queued.has(`${run.dagId}/${run.runId}`)) {
          // A queued run is not evaluated: the instance keeps its earlier state, or none.
          expected.set(key, { state: shown?.state ?? null, tryNumber: shown?.tryNumber ?? 0, decided: instance.decided });
          continue;
        }
        const allowed = allowedDecisions(world, (one) => expected.get(keyOf(one))?.state ?? null, run, task);
        const decided = instance.decided ?? allowed.find((one) => one === shown?.state) ?? allowed[0] ?? null;
        const waiting: Expected = { state: null, tryNumber: instance.triesBefore, decided };
        if (decided === null) expected.set(key, waiting);
        else if (decided === "run") expected.set(key, { ...ownState(instance, task), decided });
        else expected.set(key, { ...waiting, state: decided });
      }
    }
  }
  return expected;
}

/** The possible decisions about a waiting instance if all others have the states of `stateOf`; null = it continues to wait. */
export function allowedDecisions(
  world: ModelWorld,
  stateOf: (instance: ModelInstance) => State,
  run: ModelRun,
  task: SerializedTask,
): ModelInstance["decided"][] {
  const dag = dagOf(world, run.dagId);
  const statesOf = (taskId: string) =>
    world.instances.filter((one) => isOf(one, run) && one.taskId === taskId).map((one) => stateOf(one));
  const upstream = task.upstream.flatMap((id) => {
    const isSetup = dag.tasks.some((one) => one.taskId === id && one.isSetup);
    return statesOf(id).map((state) => ({ state, isSetup }));
  });
  const bySetups = allowedBySetups(indirectSetups(dag, task).flatMap(statesOf));
  const allowed = bySetups.includes("run") ? allowedVerdicts(task.triggerRule, upstream) : bySetups;
  return allowed.map((verdict) => {
    if (verdict === "wait") return null;
    const looksAtPast = verdict === "run" || (verdict === "skipped" && task.waitForPastDependsBeforeSkipping);
    return looksAtPast && isHeldByPast(world, stateOf, run, dag, task) ? null : verdict;
  });
}

/**
 * dependsOnPast and waitForDownstream: the same task in the previous run, and its direct downstream tasks there, must have
 * passed.
 */
export function isHeldByPast(
  world: ModelWorld,
  stateOf: (instance: ModelInstance) => State,
  run: ModelRun,
  dag: SerializedDag,
  task: SerializedTask,
): boolean {
  if ((!task.dependsOnPast && !task.waitForDownstream) || run.logicalDate === null) return false;
  const before = run.logicalDate;
  const [previous] = world.runs
    .filter((one) => one.dagId === run.dagId && one.logicalDate !== null && one.logicalDate < before)
    .sort((a, b) => (b.logicalDate ?? 0) - (a.logicalDate ?? 0));
  if (!previous) return false;
  const names = [task.taskId, ...(task.waitForDownstream ? childrenOf(dag, task.taskId).map((child) => child.taskId) : [])];
  const theirs = world.instances.filter((one) => isOf(one, previous) && names.includes(one.taskId));
  return !theirs.every((one) => ["success", "skipped"].includes(stateOf(one) ?? ""));
}

/**
 * The setups that a task needs without being directly downstream of them, as in Airflow: upstream setups whose own teardown is
 * downstream of the task, or that have none. A teardown follows its own trigger rule instead.
 */
export function indirectSetups(dag: SerializedDag, task: SerializedTask): string[] {
  if (task.isTeardown) return [];
  const after = descendantsOf(dag, task.taskId);
  return dag.tasks
    .filter(
      (setup) => setup.isSetup && descendantsOf(dag, setup.taskId).has(task.taskId) && !task.upstream.includes(setup.taskId),
    )
    .filter((setup) => {
      const teardowns = childrenOf(dag, setup.taskId).filter((child) => child.isTeardown);
      return teardowns.length === 0 || teardowns.some((teardown) => after.has(teardown.taskId));
    })
    .map((setup) => setup.taskId);
}

/** A failed or skipped setup decides, whichever came first; all must have succeeded before the trigger rule is evaluated. */
function allowedBySetups(states: readonly State[]): ModelVerdict[] {
  const allowed: ModelVerdict[] = [];
  if (states.some((state) => state === "failed" || state === "upstream_failed")) allowed.push("upstream_failed");
  if (states.some((state) => state === "skipped")) allowed.push("skipped");
  if (allowed.length > 0) return allowed;
  return states.every((state) => state === "success" || state === "removed") ? ["run"] : ["wait"];
}

/** The state of an instance that may run, by its own outcomes. */
export function ownState(instance: ModelInstance, task: SerializedTask): Omit<Expected, "decided"> {
  const isFailure = (outcome: ModelOutcome) => outcome === "failed" || outcome === "lost";
  const number = (count: number) => instance.triesBefore + count;
  if (task.isEmpty) return { state: "success", tryNumber: number(1) };
  const last = instance.outcomes.at(-1);
  const failures = instance.outcomes.filter(isFailure).length;
  if (last === undefined) return { state: "scheduled", tryNumber: number(1) };
  switch (last) {
    case "success":
    case "skipped":
      return { state: last, tryNumber: number(failures + 1) };
    case "fatal":
      return { state: "failed", tryNumber: number(failures + 1) };
    case "rescheduled":
      // A repeated poke belongs to the same try.
      return { state: instance.isDue ? "scheduled" : "up_for_reschedule", tryNumber: number(failures + 1) };
    case "failed":
    case "lost":
      if (number(failures) > instance.maxTries) return { state: "failed", tryNumber: number(failures) };
      if (!instance.isDue) return { state: "up_for_retry", tryNumber: number(failures) };
      return { state: "scheduled", tryNumber: number(failures + 1) };
  }
}

/** The state of a run with these instances. */
export function expectRun(
  dag: SerializedDag,
  states: readonly { taskId: string; state: State }[],
): "running" | "success" | "failed" {
  const unfinished = states.filter(({ state }) => !isTerminal(state));
  if (unfinished.length > 0) {
    const looksAtPast = dag.tasks.some((task) => task.dependsOnPast || task.waitForDownstream);
    // Deadlock: all remaining instances wait, and no event will wake them.
    return unfinished.every(({ state }) => state === null) && !looksAtPast ? "failed" : "running";
  }
  const deciding = decidingTasks(dag);
  const failed = states.some(
    ({ taskId, state }) => deciding.includes(taskId) && (state === "failed" || state === "upstream_failed"),
  );
  return failed ? "failed" : "success";
}

/**
 * Airflow's leaves: teardowns are skipped unless they are set to count; in a DAG that consists of teardowns, its plain leaves
 * count.
 */
export function decidingTasks(dag: SerializedDag): string[] {
  const counts = (task: SerializedTask) => !task.isTeardown || task.onFailureFailDagrun;
  // With failFast, tasks after a failure are skipped, so all tasks that count decide.
  const leaves = dag.tasks.filter((task) => counts(task) && (dag.failFast || !childrenOf(dag, task.taskId).some(counts)));
  if (leaves.length > 0) return leaves.map((task) => task.taskId);
  return dag.tasks.filter((task) => childrenOf(dag, task.taskId).length === 0).map((task) => task.taskId);
}

/** All differences between a settled system and the model, as sentences. */
export function findDifferences(world: ModelWorld, seen: Seen): string[] {
  const differences: string[] = [];
  const expected = expectStates(world, seen);
  if (seen.instances.length !== world.instances.length)
    differences.push(`${seen.instances.length} instances instead of ${world.instances.length}`);
  for (const one of seen.instances) {
    const wanted = expected.get(keyOf(one));
    const state = asExpected(one.state);
    if (!wanted) differences.push(`${keyOf(one)} is not known to the model`);
    else if (wanted.state !== state || wanted.tryNumber !== one.tryNumber)
      differences.push(
        `${keyOf(one)} is ${one.state} at try ${one.tryNumber}; the model says ${wanted.state} at try ${wanted.tryNumber}`,
      );
  }
  for (const run of seen.runs) {
    if (run.state === "queued") continue;
    const states = world.instances
      .filter((one) => isOf(one, run))
      .map((one) => ({ taskId: one.taskId, state: expected.get(keyOf(one))?.state ?? null }));
    const wanted = expectRun(dagOf(world, run.dagId), states);
    if (wanted !== run.state) differences.push(`run ${run.dagId}/${run.runId} is ${run.state}; the model says ${wanted}`);
  }
  return differences;
}

export function isOf(one: { dagId: string; runId: string }, run: { dagId: string; runId: string }): boolean {
  return one.dagId === run.dagId && one.runId === run.runId;
}

/** Records the decisions that were seen; they are final from now on. Call if `findDifferences` found none. */
export function noteDecisions(world: ModelWorld, seen: Seen): void {
  const expected = expectStates(world, seen);
  for (const instance of world.instances) instance.decided = expected.get(keyOf(instance))?.decided ?? null;
}

/** Records decisions of the schedulers that no comparison has seen yet. Call before something they depend on is cleared. */
export function noteDecisionsMade(world: ModelWorld, seen: Seen): void {
  const expected = expectStates(world, seen);
  const shown = new Map(seen.instances.map((one) => [keyOf(one), one.state]));
  for (const instance of world.instances) {
    const key = keyOf(instance);
    if (instance.decided === null && (shown.get(key) ?? null) !== null) instance.decided = expected.get(key)?.decided ?? null;
  }
}
