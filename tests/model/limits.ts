/** The limits and the order of docs/dag-authoring.md, computed over the plain list of all instances that occupy a place. */
import type { DagRunState, SerializedDag } from "../../src/contracts/index.ts";
import { descendantsOf, type State, taskOf } from "./world.ts";

/** A task instance as a system shows it, with the places that it occupies. */
export type Placed = {
  id: string;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  state: State;
  pool: string;
  poolSlots: number;
  priorityWeight: number;
  /** The scheduler that queued it; null = none. */
  scheduler: number | null;
};

export type Limits = {
  dags: ReadonlyMap<string, SerializedDag>;
  /** -1 = no limit. */
  pools: ReadonlyMap<string, number>;
  /** Maximum number of active tries of one scheduler. */
  parallelism: number;
};

const ACTIVE: readonly State[] = ["queued", "running", "restarting"];

/** All exceeded limits, as sentences. */
export function brokenLimits(all: readonly Placed[], limits: Limits): string[] {
  const broken: string[] = [];
  const active = all.filter(({ state }) => ACTIVE.includes(state));
  const check = (what: string, taken: number, limit: number | null) => {
    if (limit !== null && taken > limit) broken.push(`${what}: ${taken} of ${limit}`);
  };
  for (const [pool, slots] of limits.pools) {
    const taken = active.filter((one) => one.pool === pool).reduce((sum, one) => sum + one.poolSlots, 0);
    check(`pool ${pool}`, taken, slots === -1 ? null : slots);
  }
  for (const one of active) {
    const dag = dagAt(limits, one.dagId);
    const task = taskOf(dag, one.taskId);
    const ofRun = active.filter((other) => other.dagId === one.dagId && other.runId === one.runId);
    const ofTask = active.filter((other) => other.dagId === one.dagId && other.taskId === one.taskId);
    check(`max_active_tasks of ${one.runId}`, ofRun.length, dag.maxActiveTasks);
    check(`max_active_tis_per_dag of ${one.taskId}`, ofTask.length, task.maxActiveTisPerDag);
    const inRun = ofTask.filter((other) => other.runId === one.runId);
    check(`max_active_tis_per_dagrun of ${one.taskId}`, inRun.length, task.maxActiveTisPerDagrun);
    const ofScheduler = active.filter((other) => other.scheduler === one.scheduler);
    if (one.scheduler !== null) check(`parallelism of scheduler ${one.scheduler}`, ofScheduler.length, limits.parallelism);
  }
  return [...new Set(broken)];
}

/** Whether another instance may start in addition to the active ones. */
export function mayStart(one: Placed, all: readonly Placed[], limits: Limits, scheduler: number): boolean {
  if (!limits.pools.has(one.pool)) return false;
  const after = all.map((other) => (other.id === one.id ? { ...other, state: "queued" as const, scheduler } : other));
  const before = brokenLimits(all, limits);
  return brokenLimits(after, limits).every((line) => before.includes(line));
}

/** Whether only its pool prevents it from starting, although the pool has enough slots in total. */
export function waitsForSlots(one: Placed, all: readonly Placed[], limits: Limits, scheduler: number): boolean {
  const slots = limits.pools.get(one.pool) ?? 0;
  if (slots === -1 || one.poolSlots > slots || mayStart(one, all, limits, scheduler)) return false;
  return mayStart(one, all, { ...limits, pools: new Map([...limits.pools, [one.pool, -1]]) }, scheduler);
}

export function brokenRunLimits(
  runs: readonly { dagId: string; state: DagRunState }[],
  dags: ReadonlyMap<string, SerializedDag>,
): string[] {
  return [...dags.values()].flatMap((dag) => {
    const running = runs.filter((run) => run.dagId === dag.dagId && run.state === "running").length;
    return running > dag.maxActiveRuns ? [`max_active_runs of ${dag.dagId}: ${running} of ${dag.maxActiveRuns}`] : [];
  });
}

/**
 * Airflow's weight rules: a task's own weight, plus those of all downstream tasks with `downstream`, or upstream tasks with
 * `upstream`.
 */
export function weightOf(dag: SerializedDag, taskId: string): number {
  const task = taskOf(dag, taskId);
  if (task.weightRule === "absolute") return task.priorityWeight;
  const others =
    task.weightRule === "downstream"
      ? [...descendantsOf(dag, taskId)]
      : dag.tasks.map((one) => one.taskId).filter((id) => descendantsOf(dag, id).has(taskId));
  return others.reduce((sum, id) => sum + taskOf(dag, id).priorityWeight, task.priorityWeight);
}

function dagAt(limits: Limits, dagId: string): SerializedDag {
  const dag = limits.dags.get(dagId);
  if (!dag) throw new Error(`no DAG "${dagId}" in the limits`);
  return dag;
}
