export { ensureDefaultPool } from "./dag-processor/sql-dag-file-store.ts";
export { createConfiguredDagProcessor } from "./parts/dag-processor-part.ts";
export { readMailerOptions, startMailerPart } from "./parts/mailer-part.ts";
export { type SchedulerPart, startSchedulerPart } from "./parts/scheduler-part.ts";
export { startTriggererPart, type TriggererPart } from "./parts/triggerer-part.ts";
