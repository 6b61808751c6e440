import type { JsonObject } from "../../contracts/index.ts";

const MAX_CHARACTERS = 4096;

/** Rendered values for display: each at most 4,096 characters of JSON, longer ones cut to a marked text. */
export function toRenderedFields(templateFields: readonly string[], options: Record<string, unknown>): JsonObject {
  const shown: JsonObject = {};
  for (const field of templateFields) {
    const value = options[field];
    if (value === undefined) continue;
    const text = typeof value === "string" ? value : writeJson(value);
    if (text.length > MAX_CHARACTERS) {
      shown[field] = `${storable(text.slice(0, MAX_CHARACTERS))}… (cut; ${text.length} characters)`;
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
