export type { TryFacts } from "./create-task-context.ts";
export { type RunCallbackInput, runCallback } from "./run-callback.ts";
export { type RunTaskInput, runTask, type TaskResult } from "./run-task.ts";
export type { LogRecord, LogSink, RunnerCaller } from "./runner-caller.ts";
