import { type JsonObject, type JsonValue, RENDERED_FIELDS_MAX } from "../../contracts/index.ts";
import type { Masker } from "../../platform/index.ts";

const DEFAULT_MAX_CHARACTERS = 4_096;

/**
 * Rendered values for display, with secrets masked: each at most `maxCharacters` of JSON, longer ones cut to a marked text. They are masked
 * as values, before they become JSON and before they are cut.
 */
export function toRenderedFields(
  templateFields: readonly string[],
  options: Record<string, unknown>,
  masker: Masker,
  maxCharacters = DEFAULT_MAX_CHARACTERS,
): JsonObject {
  const shown: JsonObject = {};
  for (const field of templateFields.slice(0, RENDERED_FIELDS_MAX)) {
    if (options[field] === undefined) continue;
    const value = masker.redact({ [field]: plainValue(options[field]) })[field] as JsonValue;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    shown[field] =
      text.length > maxCharacters
        ? `${storable(text.slice(0, maxCharacters))}… (cut; ${text.length} characters)`
        : storableInside(value);
  }
  return shown;
}

/** A string that PostgreSQL's jsonb accepts: without NUL and half surrogate pairs. */
function storable(text: string): string {
  return text.replaceAll("\u0000", "\\u0000").replace(/\p{Surrogate}/gu, "\uFFFD");
}

function storableInside(value: JsonValue): JsonValue {
  if (typeof value === "string") return storable(value);
  return JSON.parse(JSON.stringify(value), (_key, inner) => (typeof inner === "string" ? storable(inner) : inner));
}

/** The value as JSON has it. */
function plainValue(value: unknown): JsonValue {
  if (typeof value === "string") return value;
  try {
    return JSON.parse(JSON.stringify(value) ?? JSON.stringify(String(value)));
  } catch {
    return "(not JSON)";
  }
}
