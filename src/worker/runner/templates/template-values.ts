import type { Budget } from "./budget.ts";
import { LookupNamespace } from "./lookup.ts";
import { isCallable } from "./template-function.ts";

/** A value as text in the output: objects as JSON, null as "null". */
export function toText(value: unknown, budget: Budget): string {
  if (typeof value === "function") throw new Error("a function is put out: it lacks its call, ( )");
  if (value instanceof LookupNamespace) throw new Error(`'${value.name}' is put out without a name: write ${value.name}.NAME`);
  if (typeof value === "object" && value !== null && !isDate(value)) {
    measure(value, budget);
    return JSON.stringify(value);
  }
  const text = toPlainText(value);
  budget.text(text.length);
  return text;
}

/** A text, number or date as text. @throws Error for lists and objects, whose own conversion could run code. */
export function toPlainText(value: unknown): string {
  if (typeof value === "string") return value;
  if (isDate(value)) return value.toString();
  if ((typeof value === "object" && value !== null) || typeof value === "function" || typeof value === "symbol")
    throw new Error(`a text is needed, not ${describe(value)}`);
  return String(value);
}

type DateText = { readonly isoformat: unknown; toString(): string };

/** A date of ours, the only object that is also a text. */
export function isDate(value: unknown): value is DateText {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "toString") && isCallable(value.toString);
}

/** A number, also from text as "3". @throws Error naming what is not a number. */
export function toNumber(value: unknown, use: string): number {
  const plain = typeof value === "number" || typeof value === "boolean" ? value : undefined;
  const number = plain === undefined && typeof value === "string" && value.trim() !== "" ? Number(value) : Number(plain);
  if (Number.isNaN(number) && !Number.isNaN(value)) throw new Error(`${use} needs a number, not ${describe(value)}`);
  return number;
}

/** For messages. */
export function describe(value: unknown): string {
  if (value === undefined) return "a value that is undefined";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "function") return "a function";
  if (isDate(value)) return `the date or time span ${value.toString()}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** The elements that loops and list filters see: of a list, the characters of a text, the keys of an object. */
export function toList(value: unknown, budget: Budget, use: string): readonly unknown[] {
  if (Array.isArray(value)) {
    budget.step(value.length);
    return value;
  }
  if (typeof value === "string") {
    budget.step(value.length);
    return [...value];
  }
  return toKeys(value, budget, use);
}

export function toKeys(value: unknown, budget: Budget, use: string): string[] {
  if (typeof value !== "object" || value === null || value instanceof LookupNamespace || isDate(value))
    throw new Error(`${use} needs a list, a text or an object, not ${describe(value)}`);
  const keys = Object.keys(value);
  budget.step(keys.length);
  return keys;
}

/**
 * Counts what JSON would have, with `indent` spaces per level. A list can hold another one several times, so that a small
 * structure is a large text.
 * @throws Error if it is too large.
 */
export function measure(value: unknown, budget: Budget, indent = 0, depth = 1): void {
  if (typeof value !== "object" || value === null) {
    budget.text(typeof value === "string" ? value.length + 2 : 4);
    return;
  }
  const elements: readonly unknown[] = Array.isArray(value) ? value : Object.keys(value);
  budget.step(elements.length + 1);
  budget.text(elements.length * indent * depth);
  budget.nest(() => {
    for (const element of elements) {
      if (Array.isArray(value)) measure(element, budget, indent, depth + 1);
      else {
        measure(element, budget);
        measure((value as Record<string, unknown>)[element as string], budget, indent, depth + 1);
      }
    }
  });
}

/** JavaScript calls members named `then` and `toJSON` of any object; ours are called by templates only. */
export function noFunction(value: unknown): unknown {
  if (typeof value === "function") throw new Error("a function cannot be in a list or an object: call it");
  return value;
}
