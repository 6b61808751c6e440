/**
 * The data of a picture of a run, and the operations that keep its counts consistent. The rules that decide are in
 * `run-picture.ts`.
 */
import { isTerminal, type TaskInstanceState } from "../../contracts/index.ts";
import { areTogether, type Graph } from "./graph.ts";
import type { UpstreamCounts } from "./trigger-rules.ts";
import { addCounts, emptyCounts, tally } from "./upstream-counts.ts";

export type InstanceFacts = { taskId: string; mapIndex: number; state: TaskInstanceState | null };
export type Instance = { readonly task: number; readonly mapIndex: number; state: TaskInstanceState | null };

export type RunPicture = {
  readonly graph: Graph;
  evaluation: number;
  /** Per task, its instances by map index. */
  readonly instances: readonly Map<number, Instance>[];
  /** Per task, the upstream instances that all its instances wait for. */
  readonly counts: readonly UpstreamCounts[];
  /** Per task of a mapped group and map index, the upstream instances that only the instance of that index waits for. */
  readonly countsBeside: readonly Map<number, UpstreamCounts>[];
  /** Instances that are not done: of each task, and in all. */
  readonly unfinishedOf: number[];
  unfinished: number;
  /** Instances with state null. */
  waiting: number;
  /** Tasks to judge again, with the map indexes that are concerned; null = all of them. */
  readonly dirty: Map<number, Set<number> | null>;
  /** For tasks with counts of both kinds: a summary of the common counts at the time all instances were last judged. */
  readonly outlines: Map<number, string>;
  /** Lengths of results that are mapped over; null = it cannot be mapped over. Holds only those that were requested and read. */
  readonly lengths: Map<number, number | null>;
  /** Tasks whose result's length must be read before judging can go on. */
  readonly wanted: Set<number>;
  /** Mapped tasks whose instances match their results. */
  readonly settled: Set<number>;
  /** For a run that was cleared: whether a branch's or short circuit's earlier decision against an instance still applies. */
  notTaken: ((instance: Instance) => boolean) | null;
};

export function createPicture(graph: Graph, evaluation: number): RunPicture {
  return {
    graph,
    evaluation,
    instances: graph.tasks.map(() => new Map()),
    counts: graph.tasks.map(emptyCounts),
    countsBeside: graph.tasks.map(() => new Map()),
    unfinishedOf: graph.tasks.map(() => 0),
    unfinished: 0,
    waiting: 0,
    dirty: new Map(),
    outlines: new Map(),
    lengths: new Map(),
    wanted: new Set(),
    settled: new Set(),
    notTaken: null,
  };
}

export function findInstance(picture: RunPicture, fact: { taskId: string; mapIndex: number }): Instance | undefined {
  const task = picture.graph.indexOf.get(fact.taskId);
  return task === undefined ? undefined : picture.instances[task]?.get(fact.mapIndex);
}

/** Adds an instance to the picture. */
export function addInstance(picture: RunPicture, instance: Instance): void {
  picture.instances[instance.task]?.set(instance.mapIndex, instance);
  book(picture, instance, +1);
}

/** Removes an instance from the picture. */
export function dropInstance(picture: RunPicture, instance: Instance): void {
  picture.instances[instance.task]?.delete(instance.mapIndex);
  book(picture, instance, -1);
}

export function move(picture: RunPicture, instance: Instance, to: TaskInstanceState | null): void {
  if (instance.state === to) return;
  book(picture, instance, -1);
  instance.state = to;
  book(picture, instance, +1);
  const { graph } = picture;
  if (to === null) markDirty(picture, instance.task);
  if (isTerminal(to)) {
    const besides = graph.besides[instance.task];
    for (const child of graph.downstream[instance.task] ?? []) {
      if (instance.mapIndex >= 0 && besides?.has(child)) markDirtyAt(picture, child, instance.mapIndex);
      else markDirty(picture, child);
    }
    for (const child of graph.indirectWork.get(instance.task) ?? []) {
      if (instance.mapIndex >= 0 && areTogether(graph, instance.task, child)) markDirtyAt(picture, child, instance.mapIndex);
      else forgetJudgement(picture, child);
    }
  }
  const expanded = graph.expandedAfter.get(instance.task);
  if (!expanded) return;
  picture.lengths.delete(instance.task);
  for (const child of expanded) {
    picture.settled.delete(child);
    if (isTerminal(to)) markDirty(picture, child);
  }
}

export function markDirty(picture: RunPicture, task: number): void {
  picture.dirty.set(task, null);
}

/** Marks every instance of the task to be judged again, whatever its counts are. */
export function forgetJudgement(picture: RunPicture, task: number): void {
  picture.outlines.delete(task);
  markDirty(picture, task);
}

/** The counts of everything that the instance waits for. */
export function countsOf(picture: RunPicture, { task, mapIndex }: Pick<Instance, "task" | "mapIndex">): UpstreamCounts {
  const common = picture.counts[task] ?? emptyCounts();
  const own = picture.countsBeside[task]?.get(mapIndex);
  return own ? addCounts(common, own) : common;
}

function markDirtyAt(picture: RunPicture, task: number, mapIndex: number): void {
  const indexes = picture.dirty.get(task);
  if (indexes === null) return;
  if (indexes) indexes.add(mapIndex);
  else picture.dirty.set(task, new Set([mapIndex]));
}

function book(picture: RunPicture, { task, mapIndex, state }: Instance, by: 1 | -1): void {
  const { graph } = picture;
  if (!isTerminal(state)) {
    picture.unfinished += by;
    picture.unfinishedOf[task] = (picture.unfinishedOf[task] ?? 0) + by;
  }
  if (state === null) picture.waiting += by;
  const isSetup = graph.tasks[task]?.isSetup ?? false;
  const besides = graph.besides[task];
  for (const child of graph.downstream[task] ?? []) {
    // An instance with index -1 represents all instances that it will expand to.
    const counts = mapIndex >= 0 && besides?.has(child) ? besideOf(picture, child, mapIndex) : picture.counts[child];
    if (counts) tally(counts, state, isSetup, by);
  }
}

function besideOf(picture: RunPicture, child: number, mapIndex: number): UpstreamCounts | undefined {
  const all = picture.countsBeside[child];
  const known = all?.get(mapIndex);
  if (known || !all) return known;
  const counts = emptyCounts();
  all.set(mapIndex, counts);
  return counts;
}
