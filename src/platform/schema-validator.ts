import { createRequire } from "node:module";
import type { Ajv2020 } from "ajv/dist/2020.js";
import type { FormatsPlugin } from "ajv-formats";
import { compileLinearScript } from "./linear-pattern.ts";

/** The checks of formats take time that grows with the square of the length. None of the formats needs long texts. */
const FORMAT_MAX_CHARS = 4_096;
/** Encoded data, whose checks are linear. */
const LONG_FORMATS = ["byte", "password", "binary"];

/**
 * A validator of JSON schemas, draft 2020-12, for the params of DAGs. Schemas come from authors and values from users, so no value may
 * take long: patterns are matched in linear time (ADR 0037), texts with a format are short, and `uniqueItems` does not compare each item
 * with each other one. `allErrors`: not for values of users, as a long list could have a million.
 */
export function createSchemaValidator({ allErrors }: { allErrors: boolean }): Ajv2020 {
  // Loaded on first use, synchronously: most DAG files have no schema, and loading the libraries takes 30 ms at the start of each child
  // process.
  const require = createRequire(import.meta.url);
  const { Ajv2020: Validator } = require("ajv/dist/2020.js") as { Ajv2020: typeof Ajv2020 };
  const addFormats = (require("ajv-formats") as { default: FormatsPlugin }).default;
  const regExp = Object.assign(namedPattern, { code: "compileLinearScript" });
  const ajv = new Validator({ allErrors, strict: false, code: { regExp } });
  addFormats(ajv);
  for (const [name, format] of Object.entries(ajv.formats)) {
    const check = checkOf(format);
    if (check !== null && !LONG_FORMATS.includes(name))
      ajv.addFormat(name, (text: string) => text.length <= FORMAT_MAX_CHARS && check(text));
  }
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    validate: (isWanted: boolean, items: unknown[]) => !isWanted || new Set(items.map(canonical)).size === items.length,
    error: { message: "must NOT have duplicate items" },
  });
  return ajv;
}

/** ajv tells patterns apart by their text. */
function namedPattern(pattern: string) {
  const compiled = compileLinearScript(pattern);
  return { test: (text: string) => compiled.test(text), toString: () => `/${pattern}/u` };
}

/** null: a format of numbers. */
function checkOf(format: unknown): ((text: string) => boolean) | null {
  if (format instanceof RegExp) return (text) => format.test(text);
  if (typeof format === "function") return (text) => Boolean(format(text));
  if (typeof format !== "object" || format === null) return null;
  if ("type" in format && format.type === "number") return null;
  return "validate" in format ? checkOf(format.validate) : null;
}

/** Equal values have equal texts, whatever the order of their keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
