import type { SerializedDag } from "../contracts/index.ts";
import { downstreamOf, topologicalOrder } from "./graph.ts";

const INT32_MAX = 2_147_483_647;
const INT32_MIN = -2_147_483_648;
const BLOCK = 32;

type Weighted = Pick<SerializedDag, "dagId"> & {
  tasks: readonly Pick<SerializedDag["tasks"][number], "taskId" | "upstream" | "priorityWeight" | "weightRule">[];
};

/**
 * The priority weight of each task, by task id, as in Airflow: the task's own weight plus the weights of all its descendants
 * (`downstream`) or ancestors (`upstream`), each counted once; `absolute` is the own weight alone. Clamped to 32 bits, the range
 * of the column. Throws `dag_cycle`.
 */
export function priorityWeights(dag: Weighted): Map<string, number> {
  const order = topologicalOrder(dag);
  const byId = new Map(dag.tasks.map((task) => [task.taskId, task]));
  const tasks = order.flatMap((taskId) => byId.get(taskId) ?? []);
  const rules = new Set(tasks.map((task) => task.weightRule));
  const upstream = new Map(tasks.map((task) => [task.taskId, task.upstream]));
  const relatives = {
    absolute: new Map<string, number>(),
    upstream: rules.has("upstream") ? sumRelatives(tasks, upstream) : new Map<string, number>(),
    downstream: rules.has("downstream") ? sumRelatives(tasks.toReversed(), downstreamOf(dag)) : new Map<string, number>(),
  };
  return new Map(
    tasks.map((task) => [task.taskId, clamp(task.priorityWeight + (relatives[task.weightRule].get(task.taskId) ?? 0))]),
  );
}

/** In `ordered`, every task comes after all its relatives. */
function sumRelatives(
  ordered: readonly { taskId: string; priorityWeight: number }[],
  relatives: ReadonlyMap<string, readonly string[]>,
): Map<string, number> {
  const position = new Map(ordered.map((task, index) => [task.taskId, index]));
  const edges = ordered.map((task) => (relatives.get(task.taskId) ?? []).flatMap((taskId) => position.get(taskId) ?? []));
  const sums = sumReachable(
    edges,
    ordered.map((task) => task.priorityWeight),
  );
  return new Map(ordered.map((task, index) => [task.taskId, sums[index] ?? 0]));
}

/**
 * For every node, the sum of the weights of all nodes that it reaches, each counted once. `edges[i]` contains only indices below `i`.
 *
 * A sum over edges would count a shared descendant once for each path, and a set for each node would need memory in the
 * square of the tasks. So 32 target nodes are processed at a time: each node has a bit mask, which is passed along the edges and
 * converted to a sum by byte tables. Measured: 10,000 tasks in a chain 0.08 s, 100,000 in 1.8 s.
 */
function sumReachable(edges: readonly (readonly number[])[], weights: readonly number[]): number[] {
  const count = edges.length;
  const flat = flatten(edges);
  const sums = new Float64Array(count);
  const masks = new Uint32Array(count);
  for (let first = 0; first < count; first += BLOCK) {
    const tables = byteTables(weights, first);
    for (let node = first; node < count; node++) {
      let mask = 0;
      for (let edge = flat.offsets[node] ?? 0, end = flat.offsets[node + 1] ?? 0; edge < end; edge++) {
        const target = flat.targets[edge] ?? 0;
        // The masks of nodes before the block are left over from the previous block.
        if (target < first) continue;
        mask |= masks[target] ?? 0;
        if (target < first + BLOCK) mask |= 1 << (target - first);
      }
      masks[node] = mask;
      if (mask === 0) continue;
      sums[node] = (sums[node] ?? 0) + lookUp(tables, mask);
    }
  }
  return Array.from(sums);
}

function flatten(edges: readonly (readonly number[])[]): { offsets: Int32Array; targets: Int32Array } {
  const offsets = new Int32Array(edges.length + 1);
  for (const [node, targets] of edges.entries()) offsets[node + 1] = (offsets[node] ?? 0) + targets.length;
  const targets = new Int32Array(offsets[edges.length] ?? 0);
  for (const [node, list] of edges.entries()) targets.set(list, offsets[node]);
  return { offsets, targets };
}

/** Four tables of 256 sums: the weights of the nodes whose bits are set in each byte of a block's mask. */
function byteTables(weights: readonly number[], first: number): Float64Array {
  const tables = new Float64Array(4 * 256);
  for (let byte = 0; byte < 4; byte++) {
    for (let value = 1; value < 256; value++) {
      const lowest = 31 - Math.clz32(value & -value);
      const rest = tables[byte * 256 + (value & (value - 1))] ?? 0;
      tables[byte * 256 + value] = rest + (weights[first + byte * 8 + lowest] ?? 0);
    }
  }
  return tables;
}

function lookUp(tables: Float64Array, mask: number): number {
  return (
    (tables[mask & 255] ?? 0) +
    (tables[256 + ((mask >>> 8) & 255)] ?? 0) +
    (tables[512 + ((mask >>> 16) & 255)] ?? 0) +
    (tables[768 + (mask >>> 24)] ?? 0)
  );
}

function clamp(weight: number): number {
  return Math.max(INT32_MIN, Math.min(INT32_MAX, weight));
}
