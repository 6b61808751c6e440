import { pino } from "pino";
import { readableLine } from "./readable-line.ts";

/** The logger interface of all parts; a pino logger implements it. */
export type Logger = {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(bindings: Record<string, unknown>): Logger;
};

/** `readable` and `coloured`: for people at a terminal. */
export type LogFormat = "json" | "readable" | "coloured";

/**
 * A logger that writes lines to stderr, since stdout is for the output of commands. Each line is a JSON object, unless `format`
 * says otherwise.
 */
export function createLogger(options: { level: string; role: string; format?: LogFormat }): Logger {
  const { level, role, format = "json" } = options;
  const destination = pino.destination({ fd: 2, sync: true });
  // If the disk is full or the reader has closed the pipe, log lines are lost, but the process goes on. There is no other place
  // to report this.
  destination.on("error", () => {});
  const out = gatherLines(destination);
  const stream = format === "json" ? out : { write: (line: string) => out.write(readableLine(line, format === "coloured")) };
  return pino({ level, base: { role, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

/**
 * Lines that are logged in one turn of the event loop are written together: a pass that queues a thousand tries needs one system
 * call, not a thousand. A process that exits, normally or because of an error, writes the remaining lines; they are lost only if
 * it is killed in that same turn.
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
