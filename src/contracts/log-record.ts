import { z } from "zod";
import { type JsonObject, jsonObjectSchema } from "./json.ts";

/** What user code writes to the log of its try, as its process sends it. */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogRecord = { level: LogLevel; message: string; facts?: JsonObject };

/** Longer messages are truncated before they are sent. The log truncates again, at its own, smaller limit. */
const MESSAGE_MAX_CHARS = 1024 * 1024;
/** As JSON. A line of a log is read by people; larger data belongs in an XCom or a file. */
const FACTS_MAX_CHARS = 256 * 1024;
/** Space for what is said of the part that is left out. */
const MARK_CHARS = 300;

export const logRecordShape = {
  level: z.enum(["debug", "info", "warn", "error"]),
  message: z.string().max(MESSAGE_MAX_CHARS + MARK_CHARS),
  facts: jsonObjectSchema
    .refine((facts) => JSON.stringify(facts).length <= FACTS_MAX_CHARS, {
      error: `must have at most ${FACTS_MAX_CHARS} characters`,
    })
    .optional(),
};

/** The record as it may be sent: a log line must never fail a task, so what is too large or is no JSON is left out and named. */
export function limitLogRecord(record: { level: LogLevel; message: string; facts?: Record<string, unknown> }): LogRecord {
  const { level, message, facts } = record;
  const over = message.length - MESSAGE_MAX_CHARS;
  const text = over > 0 ? `${message.slice(0, MESSAGE_MAX_CHARS)}… [message truncated: ${over} more characters]` : message;
  if (facts === undefined) return { level, message: text };
  try {
    const json = JSON.stringify(facts);
    if (json.length > FACTS_MAX_CHARS) {
      const size = `${json.length} characters, more than ${FACTS_MAX_CHARS}`;
      return { level, message: `${text} … [its facts are left out: ${size}]` };
    }
    const shown: unknown = JSON.parse(json);
    const fault = jsonObjectSchema.safeParse(shown).error?.issues[0]?.message;
    return fault === undefined
      ? { level, message: text, facts: shown as JsonObject }
      : { level, message: `${text} … [its facts are left out: ${fault}]` };
  } catch (error) {
    return { level, message: `${text} … [its facts are left out: ${String(error).slice(0, 200)}]` };
  }
}
