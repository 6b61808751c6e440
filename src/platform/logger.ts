import { pino } from "pino";

/** What a part may log through; a pino logger fits. */
export type Logger = {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(bindings: Record<string, unknown>): Logger;
};

/** A logger that writes one JSON object per line to stderr, which leaves stdout to commands' output. */
export function createLogger(options: { level: string; role: string }): Logger {
  const destination = pino.destination({ fd: 2, sync: true });
  // A full disk or a reader that is gone costs lines, never the process; there is no place left to say so.
  destination.on("error", () => {});
  return pino(
    { level: options.level, base: { role: options.role, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
