export type { FromRunner, LogLevel, RunnerContext, ToRunner, TryFacts } from "./messages.ts";
