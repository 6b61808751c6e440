export { checkConf } from "./check-conf.ts";
export { type ClearOptions, clearRun } from "./clear-run.ts";
export { type CreatedRun, createDagRun, type RunRequest } from "./create-dag-run.ts";
export { createDagCache, type DagCache, type DagVersion } from "./dag-cache.ts";
export { endTries, type TryOutcome } from "./end-tries.ts";
