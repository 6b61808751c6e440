export { createExecutionApi } from "./app.ts";
export { mapFactsOf } from "./map-facts.ts";
export type { CallResources, ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
export { answerCall } from "./runner-calls.ts";
