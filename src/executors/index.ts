export type { Executor, ExecutorEvent, ExecutorOptions } from "./contract.ts";
export { createLocalExecutor, type FromSupervisor, type LocalExecutorOptions, type ToSupervisor } from "./local/index.ts";
