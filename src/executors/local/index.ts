export { createLocalExecutor, type FromSupervisor, type LocalExecutorOptions, type ToSupervisor } from "./local-executor.ts";
