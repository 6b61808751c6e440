export { validateTimetable } from "./cron-expression.ts";
export {
  type DataInterval,
  isPeriodic,
  type LastRun,
  manualRunInterval,
  type NextRunQuery,
  nextRun,
  nextRuns,
  type Restriction,
  type RunInstants,
  restrictionOf,
  runIdFor,
} from "./dated.ts";
export { describe } from "./describe.ts";
