import { BaramError } from "../platform/index.ts";

/** The values for the names in an alert's template; values are data and never rendered themselves. */
export type TemplateValues = Readonly<Record<string, string>>;

const PLACEHOLDER = /\{\{\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\}\}/g;

/**
 * Replaces `{{ name }}` by values. There are no expressions, filters or blocks, since this runs in the API server, which must not
 * contain a template engine (ADR 0009).
 */
export function fillTemplate(source: string, values: TemplateValues, encode: (value: string) => string): string {
  return source.replace(PLACEHOLDER, (_whole, name: string) => encode(values[name] ?? ""));
}

/** @throws BaramError config_invalid for an unknown name, and for syntax that only Jinja understands. */
export function checkTemplate(option: string, source: string, names: readonly string[]): void {
  for (const [, name = ""] of source.matchAll(PLACEHOLDER)) {
    if (names.includes(name)) continue;
    throw new BaramError("config_invalid", `${option}: there is no {{ ${name} }}. Use one of ${names.join(", ")}.`, {
      option,
      name,
    });
  }
  const rest = /\{\{[^}]*\}?\}?|\{%[^%]*%?\}?/.exec(source.replace(PLACEHOLDER, ""))?.[0];
  if (rest === undefined) return;
  const message = `${option}: "${rest}" is more than a name in braces. Use one of ${names.map((name) => `{{ ${name} }}`).join(", ")}.`;
  throw new BaramError("config_invalid", message, { option });
}
