import type { LogRecord } from "../contracts/index.ts";
import type { LogLine } from "./log-writer.ts";

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
