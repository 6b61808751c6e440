export * from "./commands/index.ts";
export { buildGraph } from "./core/graph.ts";
export { retryDelaySec } from "./core/retry-delay.ts";
export {
  applyEvent,
  buildPicture,
  type Change,
  judge,
  judgeRun,
  type RunPicture,
  retryDue,
  tellLengths,
} from "./core/run-picture.ts";
export { pass, type Scheduler, startScheduler } from "./loop.ts";
export { createSchedulerMemory, type PausePoint, type SchedulerOptions, type SchedulerResources } from "./resources.ts";
