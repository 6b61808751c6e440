export { createEcsExecutor, type EcsExecutorOptions } from "./ecs-executor.ts";
export { faultOfKwargs as ecsKwargsFault, layOver } from "./run-task-request.ts";
