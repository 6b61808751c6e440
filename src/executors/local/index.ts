export {
  createLocalExecutor,
  type FromSupervisor,
  type LocalExecutorOptions,
  SUPERVISOR_MARK,
  type ToSupervisor,
} from "./local-executor.ts";
