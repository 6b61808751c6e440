export * from "./commands/index.ts";
export { logPathOf } from "./dispatch.ts";
export { pass, type Scheduler, startScheduler } from "./loop.ts";
export type { PausePoint, SchedulerOptions, SchedulerResources } from "./resources.ts";
