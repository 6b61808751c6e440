export { createExecutionApi } from "./app.ts";
export type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
