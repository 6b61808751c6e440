import type { LogRecord } from "../contracts/index.ts";

export type LogLine = {
  timestamp: string;
  level: "debug" | "info" | "warn" | "error";
  event: string;
  logger?: string;
  [fact: string]: unknown;
};

/** Of lines that the platform writes. No line of user code has it, since `userLine` names its logger. */
export const PLATFORM_LOGGER = "baram";

/** A line that the platform writes now. */
export function platformLine(level: LogLine["level"], event: string, facts: Record<string, unknown> = {}): LogLine {
  return { timestamp: new Date().toISOString(), level, event, logger: PLATFORM_LOGGER, ...facts };
}

const OWN_FIELDS: ReadonlySet<string> = new Set(["timestamp", "level", "event", "logger"]);

/**
 * A line that user code wrote. The platform's fields cannot be replaced by a fact of the same name: such a fact is shown with an
 * underscore, `event_`.
 */
export function userLine(logger: string, { level, message, facts = {} }: LogRecord): LogLine {
  const line: LogLine = { timestamp: new Date().toISOString(), level, event: message, logger };
  for (const [name, value] of Object.entries(facts)) line[OWN_FIELDS.has(name) ? `${name}_` : name] = value;
  return line;
}
