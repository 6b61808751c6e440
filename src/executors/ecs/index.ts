export { createEcsExecutor, type EcsExecutorOptions } from "./ecs-executor.ts";
export { composeRunTask, faultOfKwargs as ecsKwargsFault, layOver } from "./run-task-request.ts";
