/**
 * Expansion: from a mapped task's one instance with map index -1 to the instances that its results ask for, and again after those
 * results changed. A mapped task is
 * - unexpanded, with index -1 alone: it waits, or ends as a whole (nothing to map over: skipped);
 * - settled, with indexes 0 … n-1: what is beyond n is removed;
 * - unsettled again as soon as a result it is mapped over is made anew. The tasks of a mapped group are expanded together, so that
 *   they always have the same indexes.
 */
import { isTerminal, mappingLength } from "../../contracts/index.ts";
import type { MappedTask } from "./graph.ts";
import { addInstance, dropInstance, forgetJudgement, move, type RunPicture } from "./picture-state.ts";

/** A task gets no more instances than this, whatever lists a cross product is made of. */
export const MAX_INSTANCES_PER_TASK = 100_000;

/** What to write for one task. `unmapped`: what becomes of index -1. All indexes are disjoint. */
export type Expansion = {
  task: number;
  unmapped: "kept" | "becomes 0" | "dropped";
  created: number[];
  revived: number[];
  removed: number[];
};

/**
 * Whether instances of the task may run. `unknown`: a length must be read first (`picture.wanted`). `wait`: a result it is mapped
 * over is not there yet. Otherwise the state that they get without running: as in Airflow, a failed or skipped result decides,
 * whatever the trigger rule says.
 */
export type Readiness =
  | { kind: "ready" }
  | { kind: "wait" }
  | { kind: "unknown" }
  | { kind: "ends"; to: "skipped" | "upstream_failed" | "failed"; reason: string | null };

export function settle(picture: RunPicture, task: number, mapped: MappedTask, expansions: Expansion[]): Readiness {
  if (picture.settled.has(task)) return { kind: "ready" };
  const fromSources = judgeSources(picture, mapped);
  if (fromSources) return fromSources;
  const untold = mapped.sources.filter((source) => !picture.lengths.has(source));
  if (untold.length > 0) {
    for (const source of untold) picture.wanted.add(source);
    return { kind: "unknown" };
  }
  const lengthOf = (taskId: string) => picture.lengths.get(picture.graph.indexOf.get(taskId) ?? -1) ?? null;
  const length = mappingLength(mapped.mapping, lengthOf);
  const isExpanded = !picture.instances[task]?.has(-1);
  if (length === null) {
    // No result, for example because it was marked as success by hand: an expanded task keeps its instances.
    if (isExpanded) return { kind: "ready" };
    return { kind: "ends", to: "upstream_failed", reason: "a task that it is mapped over left no list or object" };
  }
  if (length > MAX_INSTANCES_PER_TASK) {
    return {
      kind: "ends",
      to: "failed",
      reason: `it would have ${length} instances; at most ${MAX_INSTANCES_PER_TASK} are allowed`,
    };
  }
  if (length === 0 && !isExpanded) return { kind: "ends", to: "skipped", reason: null };
  for (const one of mapped.together) reshape(picture, one, length, expansions);
  return { kind: "ready" };
}

function judgeSources(picture: RunPicture, { sources }: MappedTask): Readiness | null {
  const whole = sources.map((source) => picture.instances[source]?.get(-1)?.state ?? null);
  if (whole.some((state) => state === "failed" || state === "upstream_failed")) {
    return { kind: "ends", to: "upstream_failed", reason: null };
  }
  if (whole.includes("skipped")) return { kind: "ends", to: "skipped", reason: null };
  return sources.some((source) => (picture.unfinishedOf[source] ?? 0) > 0) ? { kind: "wait" } : null;
}

/** Gives the task the instances 0 … length-1, in the picture and in the expansions to write. */
function reshape(picture: RunPicture, task: number, length: number, expansions: Expansion[]): void {
  const instances = picture.instances[task];
  // A task of the group that this run does not have gets no instances either.
  if (!instances || instances.size === 0) return;
  // With nothing to map over, index -1 is judged once more and then skipped.
  if (length > 0) picture.settled.add(task);
  const unmapped = instances.get(-1);
  // Ended as a whole, by a mark or a trigger rule: it stays so until it is cleared.
  if (unmapped && isTerminal(unmapped.state)) return;
  const order: Expansion = { task, unmapped: "kept", created: [], revived: [], removed: [] };
  if (unmapped && length > 0) {
    order.unmapped = instances.has(0) ? "dropped" : "becomes 0";
    dropInstance(picture, unmapped);
    if (order.unmapped === "becomes 0") addInstance(picture, { task, mapIndex: 0, state: null });
  }
  if (!unmapped && length === 0) {
    addInstance(picture, { task, mapIndex: -1, state: null });
    order.created.push(-1);
  }
  for (const instance of instances.values()) {
    if (instance.mapIndex >= length && instance.state !== "removed") {
      move(picture, instance, "removed");
      order.removed.push(instance.mapIndex);
    } else if (instance.mapIndex >= 0 && instance.mapIndex < length && instance.state === "removed") {
      move(picture, instance, null);
      order.revived.push(instance.mapIndex);
    }
  }
  for (let mapIndex = 0; mapIndex < length; mapIndex++) {
    if (instances.has(mapIndex)) continue;
    addInstance(picture, { task, mapIndex, state: null });
    order.created.push(mapIndex);
  }
  const isChanged = order.unmapped !== "kept" || order.created.length + order.revived.length + order.removed.length > 0;
  if (!isChanged) return;
  expansions.push(order);
  forgetJudgement(picture, task);
}
