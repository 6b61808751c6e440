export * from "./callback.ts";
export * from "./execution.ts";
export * from "./ids.ts";
export * from "./json.ts";
export * from "./serialized-dag.ts";
export * from "./states.ts";
export * from "./workload.ts";
