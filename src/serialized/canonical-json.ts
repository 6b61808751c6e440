import type { JsonValue } from "../contracts/index.ts";

/** JSON with sorted keys and without spaces: equal values give equal text, whatever the order of their keys. */
export function canonicalJson(value: JsonValue | object): string {
  return JSON.stringify(value, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  // Without a prototype, so that a key named __proto__ is an ordinary key.
  const sorted: Record<string, unknown> = Object.create(null);
  for (const [key, entry] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) sorted[key] = entry;
  return sorted;
}
