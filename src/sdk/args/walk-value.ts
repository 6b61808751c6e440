import { Template } from "./template.ts";
import { XComArg } from "./xcom-arg.ts";

/** A plain object. Instances of classes are not searched. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** All XComArgs in a value, including those in nested arrays and plain objects. */
export function collectXComArgs(value: unknown, found: XComArg<unknown>[] = []): XComArg<unknown>[] {
  if (value instanceof XComArg) found.push(value);
  else if (Array.isArray(value)) for (const element of value) collectXComArgs(element, found);
  else if (isPlainObject(value)) for (const element of Object.values(value)) collectXComArgs(element, found);
  return found;
}

/**
 * A copy in which XComArgs and templates are replaced. Arrays and plain objects are copied; all other values are kept as they
 * are.
 */
export function replacePlaceholders(
  value: unknown,
  replace: (placeholder: XComArg<unknown> | Template<unknown>) => unknown,
): unknown {
  if (value instanceof XComArg || value instanceof Template) return replace(value);
  if (Array.isArray(value)) return value.map((element) => replacePlaceholders(element, replace));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, replacePlaceholders(element, replace)]));
}
