/**
 * The data of the reference model: DAGs as their authors wrote them, runs, and for each task instance the outcomes that counted.
 * There is no derived state: every question is answered from the complete lists each time.
 */
import type { DagRunState, SerializedDag, SerializedTask, TaskInstanceState } from "../../src/contracts/index.ts";

export type State = TaskInstanceState | null;

/** How a try ended: `fatal` is a failure without retry, `lost` a worker that died. */
export type ModelOutcome = "success" | "failed" | "fatal" | "lost" | "skipped" | "rescheduled";

export type ModelRun = {
  readonly dagId: string;
  readonly runId: string;
  /** Milliseconds; null = not ordered relative to other runs. */
  readonly logicalDate: number | null;
  readonly runAfter: number;
};

/** One task instance. A task that is mapped over a literal list has several from the start, with map indexes from 0. */
export type ModelInstance = {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  /** Outcomes since the last clear, in order. */
  outcomes: ModelOutcome[];
  /** Number of tries before the last clear. */
  triesBefore: number;
  /** A try with this number or a higher one is not retried. */
  maxTries: number;
  /** Whether the retry or the next poke is due. */
  isDue: boolean;
  /** The decision since the last clear: it is final, whatever happens to the upstreams. */
  decided: "run" | "skipped" | "upstream_failed" | null;
};

export type ModelWorld = {
  readonly dags: ReadonlyMap<string, SerializedDag>;
  readonly runs: readonly ModelRun[];
  readonly instances: readonly ModelInstance[];
};

/** The state that a system shows at one moment. */
export type SeenInstance = {
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  state: State;
  tryNumber: number;
};
export type SeenRun = { dagId: string; runId: string; state: DagRunState };
export type Seen = { runs: readonly SeenRun[]; instances: readonly SeenInstance[] };

export function createRunOf(world: { dags: ModelWorld["dags"] }, run: ModelRun): ModelInstance[] {
  return dagOf(world, run.dagId).tasks.flatMap((task) =>
    mapIndexesOf(task).map((mapIndex) => ({
      dagId: run.dagId,
      runId: run.runId,
      taskId: task.taskId,
      mapIndex,
      outcomes: [],
      triesBefore: 0,
      maxTries: task.retries,
      isDue: false,
      decided: null,
    })),
  );
}

/** Not modelled yet: lengths that are known only when another task has ended, and mapped groups. */
export function mapIndexesOf({ mapping }: SerializedTask): number[] {
  if (mapping === null) return [-1];
  const lengths = mapping.inputs.map(({ source }) => (source.type === "literal" ? source.length : Number.NaN));
  return Array.from({ length: lengths.reduce((product, length) => product * length, 1) }, (_, index) => index);
}

export function dagOf(world: { dags: ModelWorld["dags"] }, dagId: string): SerializedDag {
  const dag = world.dags.get(dagId);
  if (!dag) throw new Error(`the model knows no DAG "${dagId}"`);
  return dag;
}

export function taskOf(dag: SerializedDag, taskId: string): SerializedTask {
  const task = dag.tasks.find((one) => one.taskId === taskId);
  if (!task) throw new Error(`the model knows no task "${taskId}"`);
  return task;
}

/** The direct downstream tasks. */
export function childrenOf(dag: SerializedDag, taskId: string): SerializedTask[] {
  return dag.tasks.filter((task) => task.upstream.includes(taskId));
}

/** All downstream tasks, at any distance. */
export function descendantsOf(dag: SerializedDag, taskId: string): Set<string> {
  const found = new Set<string>();
  const visit = (id: string) => {
    for (const child of childrenOf(dag, id)) {
      found.add(child.taskId);
      visit(child.taskId);
    }
  };
  visit(taskId);
  return found;
}

/** The tasks in topological order. */
export function inOrder(dag: SerializedDag): SerializedTask[] {
  const ordered: SerializedTask[] = [];
  while (ordered.length < dag.tasks.length) {
    const next = dag.tasks.find(
      (task) => !ordered.includes(task) && task.upstream.every((id) => ordered.some((done) => done.taskId === id)),
    );
    if (!next) throw new Error(`DAG "${dag.dagId}" has a cycle`);
    ordered.push(next);
  }
  return ordered;
}

export function keyOf(one: { dagId: string; runId: string; taskId: string; mapIndex: number }): string {
  return `${one.dagId}/${one.runId}/${one.taskId}[${one.mapIndex}]`;
}
