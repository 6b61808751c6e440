export { createExecutionApi } from "./app.ts";
export { mapFactsOf } from "./map-facts.ts";
export type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
export { answerCall } from "./runner-calls.ts";
