export { validateTimetable } from "./cron-expression.ts";
export {
  type DataInterval,
  dueRun,
  isPeriodic,
  type LastRun,
  manualRunInterval,
  type NextRunQuery,
  nextRun,
  nextRuns,
  type PlannedInterval,
  type Restriction,
  type RunInstants,
  restrictionOf,
  runIdFor,
  tasksWithoutRun,
} from "./dated.ts";
export { describe } from "./describe.ts";
export { endOfSpanAt, instantAt, readInstant } from "./written-instant.ts";
