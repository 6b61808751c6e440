export type { Executor, ExecutorEvent, ExecutorOptions, OrphanTry } from "./contract.ts";
export {
  createLocalExecutor,
  type FromSupervisor,
  type LocalExecutorOptions,
  SUPERVISOR_MARK,
  type ToSupervisor,
} from "./local/index.ts";
