import { pino } from "pino";
import { readableLine } from "./readable-line.ts";

/** What a part may log through; a pino logger fits. */
export type Logger = {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(bindings: Record<string, unknown>): Logger;
};

/** `readable`: for people, at a terminal. */
export type LogFormat = "json" | "readable" | "coloured";

/** A logger that writes lines to stderr, which leaves stdout to commands' output: one JSON object each, unless `format` says otherwise. */
export function createLogger(options: { level: string; role: string; format?: LogFormat }): Logger {
  const { level, role, format = "json" } = options;
  const destination = pino.destination({ fd: 2, sync: true });
  // A full disk or a reader that is gone costs lines, never the process; there is no place left to say so.
  destination.on("error", () => {});
  const out = gatherLines(destination);
  const stream = format === "json" ? out : { write: (line: string) => out.write(readableLine(line, format === "coloured")) };
  return pino({ level, base: { role, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

/**
 * What is logged in one turn of the event loop is written at once: a pass that queues a thousand tries costs one system call and not a
 * thousand. A process that ends, of itself or for an error, writes what is left; only one that is killed in that very turn loses it.
 */
function gatherLines(destination: { write(text: string): unknown }): { write(line: string): void } {
  let lines = "";
  const flush = () => {
    const text = lines;
    lines = "";
    if (text !== "") destination.write(text);
  };
  process.on("exit", flush);
  return {
    write(line) {
      if (lines === "") setImmediate(flush);
      lines += line;
      if (lines.length > GATHERED_MAX) flush();
    },
  };
}

const GATHERED_MAX = 64 * 1_024;

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
