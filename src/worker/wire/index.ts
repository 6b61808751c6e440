export { fromRunnerSchema, type ReceivedFromRunner, SPENT_REASON_MAX } from "./from-runner-schema.ts";
export type { FromRunner, RunnerContext, ToRunner, TryFacts } from "./messages.ts";
