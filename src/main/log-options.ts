import type { Config } from "../config/index.ts";
import type { LogFormat } from "../platform/index.ts";

export type LogOptions = { level: string; format: LogFormat };

/** The log options of this process and of those that write to its stderr. */
export function logOptionsOf({ logging }: Config, isTerminal = process.stderr.isTTY): LogOptions {
  const isJson = logging.json_logs ?? !isTerminal;
  const isColoured = isTerminal && logging.colored_console_log;
  return { level: logging.logging_level, format: isJson ? "json" : isColoured ? "coloured" : "readable" };
}
