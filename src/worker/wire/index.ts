export { openWire, type Wire } from "./frames.ts";
export type { FromRunner, LogLevel, RunnerContext, ToRunner, TryFacts } from "./messages.ts";
