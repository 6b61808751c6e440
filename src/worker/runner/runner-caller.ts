import type { LogLevel, RunnerCalls, RunnerMethod } from "../../contracts/index.ts";

/** Calls to the supervisor, and through it to the execution API. Rejects when the wire is gone. */
export type RunnerCaller = {
  call<M extends RunnerMethod>(method: M, params: RunnerCalls[M]["params"]): Promise<RunnerCalls[M]["result"]>;
};

/** One line of the try's log, before time and masking. */
export type LogRecord = { level: LogLevel; message: string; facts?: Record<string, unknown> };
export type LogSink = (record: LogRecord) => void;
