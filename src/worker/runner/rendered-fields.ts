import { type JsonObject, RENDERED_FIELDS_MAX } from "../../contracts/index.ts";

const DEFAULT_MAX_CHARACTERS = 4_096;

/** Rendered values for display: each at most `maxCharacters` of JSON, longer ones cut to a marked text. */
export function toRenderedFields(
  templateFields: readonly string[],
  options: Record<string, unknown>,
  maxCharacters = DEFAULT_MAX_CHARACTERS,
): JsonObject {
  const shown: JsonObject = {};
  for (const field of templateFields.slice(0, RENDERED_FIELDS_MAX)) {
    const value = options[field];
    if (value === undefined) continue;
    const text = typeof value === "string" ? value : writeJson(value);
    if (text.length > maxCharacters) {
      shown[field] = `${storable(text.slice(0, maxCharacters))}… (cut; ${text.length} characters)`;
    } else {
      shown[field] = typeof value === "string" ? storable(value) : JSON.parse(text, storableInside);
    }
  }
  return shown;
}

/** A string that PostgreSQL's jsonb accepts: without NUL and half surrogate pairs. */
function storable(text: string): string {
  return text.replaceAll("\u0000", "\\u0000").replace(/\p{Surrogate}/gu, "\uFFFD");
}

function storableInside(_key: string, value: unknown): unknown {
  return typeof value === "string" ? storable(value) : value;
}

function writeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? JSON.stringify(String(value));
  } catch {
    return JSON.stringify("(not JSON)");
  }
}
