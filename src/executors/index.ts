export type { Executor, ExecutorEvent, ExecutorOptions } from "./contract.ts";
