export { FRAME_MAX_BYTES, openWire, type Wire } from "./frames.ts";
export type { FromRunner, LogLevel, RunnerContext, ToRunner, TryFacts } from "./messages.ts";
