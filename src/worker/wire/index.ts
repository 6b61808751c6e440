export { openWire, type Wire } from "./frames.ts";
export { type FromRunner, type LogLevel, OUTPUT_END, type RunnerContext, type ToRunner, type TryFacts } from "./messages.ts";
