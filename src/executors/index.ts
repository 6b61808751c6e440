export type { Executor, ExecutorEvent, ExecutorOptions, FindEnded, OrphanTry } from "./contract.ts";
export { createEcsExecutor, type EcsExecutorOptions, ecsKwargsFault, layOver } from "./ecs/index.ts";
export {
  createLambdaExecutor,
  type InvocationResult,
  invocationSchema,
  LAMBDA_MAX_SEC,
  type LambdaExecutorOptions,
  sendResult,
} from "./lambda/index.ts";
export {
  createLocalExecutor,
  type FromSupervisor,
  type LocalExecutorOptions,
  SUPERVISOR_MARK,
  type ToSupervisor,
} from "./local/index.ts";
