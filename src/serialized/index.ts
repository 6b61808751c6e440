export { canonicalJson } from "./canonical-json.ts";
export { type ClearDirections, tasksToClear } from "./clear.ts";
export type { DagProblem } from "./dag-problem.ts";
export { downstreamOf, findCycle, topologicalOrder } from "./graph.ts";
export { hashDag } from "./hash.ts";
export { parseSerializedDag } from "./parse.ts";
export { priorityWeights } from "./priority-weights.ts";
export { setupsOf } from "./setups.ts";
export { assertValidDag, MAX_TASKS_PER_DAG, validateDag } from "./validate.ts";
