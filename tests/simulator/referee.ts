/** Checks every commit of a history: invalid changes are found when they happen, by the model and by the reported outcomes. */
import { isTerminal, type SerializedDag } from "../../src/contracts/index.ts";
import { allowedDecisions } from "../model/expect-states.ts";
import { brokenLimits, brokenRunLimits, type Limits } from "../model/limits.ts";
import { createRunOf, keyOf, type ModelInstance, type ModelOutcome, type ModelRun, taskOf } from "../model/world.ts";
import type { RowChange } from "./memory-database.ts";
import { ACTIVE, type InstanceRow, type RunRow } from "./rows.ts";

export type Referee = {
  readonly world: { dags: ReadonlyMap<string, SerializedDag>; runs: ModelRun[]; instances: ModelInstance[] };
  addRun(run: RunRow): void;
  /** A worker is about to report this outcome of its try. */
  reports(worker: string, id: string, outcome: ModelOutcome): void;
  /** Number of commits so far. */
  commits(): number;
  /**
   * `begunAt`: the value of `commits` when the transaction began. The transaction may have seen the state before a later clear.
   */
  commit(by: string, changes: readonly RowChange[], begunAt?: number): void;
};

type State = InstanceRow["state"];

/**
 * Each state, and the states that one commit may change it to. A clear may change any of them back to none, under a new id. A
 * task may be scheduled and queued in the same commit.
 */
const MOVES: ReadonlyMap<State, readonly State[]> = new Map<State, readonly State[]>([
  [null, ["scheduled", "queued", "skipped", "upstream_failed", "success"]],
  ["scheduled", ["queued"]],
  ["queued", ["running", "scheduled", "up_for_retry", "failed"]],
  ["running", ["success", "failed", "skipped", "up_for_retry", "up_for_reschedule"]],
  ["up_for_retry", ["scheduled", "queued"]],
  ["up_for_reschedule", ["scheduled", "queued"]],
]);

export function createReferee(
  dag: SerializedDag,
  pools: ReadonlyMap<string, number>,
  parallelism: number,
  now: () => number,
  fail: (what: string) => void,
): Referee {
  const dags = new Map([[dag.dagId, dag]]);
  const world: Referee["world"] = { dags, runs: [], instances: [] };
  const rows = new Map<string, InstanceRow>();
  const runs = new Map<number, RunRow>();
  const reported = new Map<string, { id: string; outcome: ModelOutcome }>();
  // Parallelism is checked when an instance is queued: a scheduler that adopts tries may exceed it, and must not queue more then.
  const limits: Limits = { dags, pools, parallelism: Number.POSITIVE_INFINITY };
  const stateOf = (one: ModelInstance) => rows.get(keyOf(one))?.state ?? null;
  const clears: { key: string; at: number; from: State }[] = [];
  let commits = 0;

  function commitInstance(by: string, before: InstanceRow, after: InstanceRow, begunAt: number): void {
    const key = keyOf(after);
    const instance = world.instances.find((one) => keyOf(one) === key);
    if (!instance) throw new Error(`${key} is not known`);
    if (before.state === after.state) return;
    if (after.state === null) {
      clear(instance, before, after);
      return;
    }
    if (!(MOVES.get(before.state) ?? []).includes(after.state)) fail(`${by} moved ${key} from ${before.state} to ${after.state}`);
    if (before.state === null) decide(by, instance, after, begunAt);
    if (before.state === "up_for_retry" || before.state === "up_for_reschedule") {
      if ((before.nextAttemptAt ?? 0) > now()) fail(`${by} started ${key} before its time`);
      instance.isDue = true;
    }
    const isTryOver =
      before.state === "running" || (before.state === "queued" && after.state !== "running" && after.state !== "scheduled");
    if (isTryOver) end(by, instance, before);
    if (after.state === "scheduled" && before.state === "queued" && after.id === before.id)
      fail(`${key} was taken back under the same id`);
    if (after.state.startsWith("up_for") && after.id === before.id) fail(`${key} goes on under the id of a try that ended`);
  }

  function clear(instance: ModelInstance, before: InstanceRow, after: InstanceRow): void {
    if (before.id === after.id) fail(`${keyOf(instance)} was cleared and kept its id`);
    clears.push({ key: keyOf(instance), at: commits, from: before.state });
    resetInstance(instance, before);
  }

  /**
   * A run's evaluation locks only its own run: if an instance of an earlier run is cleared meanwhile, the result is as if the
   * clear came after it.
   */
  function decide(by: string, instance: ModelInstance, after: InstanceRow, begunAt: number): void {
    const run = world.runs.find((one) => one.runId === instance.runId);
    if (!run) return;
    const task = taskOf(dag, instance.taskId);
    const decided = after.state === "skipped" || after.state === "upstream_failed" ? after.state : "run";
    const stateAtBegin = (one: ModelInstance) => {
      const cleared = clears.find(({ key, at }) => at >= begunAt && key === keyOf(one));
      return cleared ? cleared.from : stateOf(one);
    };
    const allowed = [stateOf, stateAtBegin].flatMap((states) => allowedDecisions(world, states, run, task));
    if (!allowed.includes(decided))
      fail(`${by} decided ${decided} on ${keyOf(instance)}; the model allows ${allowed.join(" or ")}`);
    if ((after.state === "success") !== (decided === "run" && task.isEmpty))
      fail(`${keyOf(instance)} became ${after.state} at once`);
    instance.decided = decided;
  }

  /** If a worker wrote the outcome, it must be the one that it reported for this try; otherwise the worker was lost. */
  function end(by: string, instance: ModelInstance, before: InstanceRow): void {
    const report = reported.get(by);
    if (by.startsWith("worker") && report?.id !== before.id)
      fail(`${by} reported for ${report?.id} and ended ${before.id} of ${keyOf(instance)}`);
    instance.outcomes.push(by.startsWith("worker") && report ? report.outcome : "lost");
    instance.isDue = false;
  }

  return {
    world,
    addRun(run) {
      const model = {
        dagId: run.dagId,
        runId: run.runId,
        logicalDate: run.logicalDate.getTime(),
        runAfter: run.runAfter.getTime(),
      };
      world.runs.push(model);
      world.instances.push(...createRunOf({ dags }, model));
      runs.set(run.id, run);
    },
    reports: (worker, id, outcome) => void reported.set(worker, { id, outcome }),
    commits: () => commits,
    commit(by, changes, begunAt = commits) {
      /** Jobs of the schedulers that queue instances in this commit. */
      const queueing = new Set<number | null>();
      // All changes of a commit become visible together: apply them first, then judge.
      for (const change of changes) {
        if (change.table === "instance" && change.after) rows.set(keyOf(change.after), change.after);
        if (change.table === "run" && change.after) runs.set(change.after.id, change.after);
      }
      for (const change of changes) {
        if (change.table === "run") {
          const { before, after } = change;
          if (before && isEnded(before) && after?.state === "running") fail(`${by} set run ${before.runId} running again`);
          if (before && after && !isEnded(before) && isEnded(after)) checkEnd(by, after);
        }
        if (change.table !== "instance" || !change.before || !change.after) continue;
        if (isTerminal(change.before.state) && change.after.state !== change.before.state && change.after.state !== null)
          fail(`${by} moved ${keyOf(change.after)} from its end ${change.before.state} to ${change.after.state}`);
        commitInstance(by, change.before, change.after, begunAt);
        if (change.after.state === "queued" && change.before.state !== "queued") queueing.add(change.after.queuedBy);
      }
      commits++;
      if (queueing.size > 0) checkLimits(by, queueing);
      const overdrawn = brokenRunLimits([...runs.values()], dags);
      if (overdrawn.length > 0) fail(`${by}: ${overdrawn.join("; ")}`);
    },
  };

  function checkEnd(by: string, run: RunRow): void {
    const open = [...rows.values()].filter((one) => one.dagRunId === run.id && !isTerminal(one.state));
    if (open.length > 0)
      fail(`${by} ended run ${run.runId} with ${open.map((one) => `${one.taskId} ${one.state}`).join(", ")} left`);
  }

  function checkLimits(by: string, queueing: ReadonlySet<number | null>): void {
    const placed = [...rows.values()].map((row) => ({ ...row, scheduler: row.queuedBy }));
    const overdrawn = brokenLimits(placed, limits);
    for (const job of queueing) {
      const active = placed.filter((one) => one.queuedBy === job && ACTIVE.includes(one.state)).length;
      if (active > parallelism) overdrawn.push(`parallelism of job ${job}: ${active} of ${parallelism}`);
    }
    if (overdrawn.length > 0) fail(`${by}: ${overdrawn.join("; ")}`);
  }
}

function resetInstance(instance: ModelInstance, before: InstanceRow): void {
  instance.outcomes = [];
  instance.triesBefore = before.tryNumber;
  instance.maxTries = before.tryNumber + before.retries;
  instance.isDue = false;
  instance.decided = null;
}

function isEnded(run: RunRow): boolean {
  return run.state === "success" || run.state === "failed";
}
