import type { Budget } from "./budget.ts";
import { replaceText } from "./filters-of-texts.ts";
import { LookupNamespace } from "./lookup.ts";
import { callable } from "./template-function.ts";
import { toKeys, toNumber, toPlainText, toText } from "./template-values.ts";

type Member<T> = (value: T, budget: Budget) => unknown;

const position = (index: unknown) => (index === undefined ? undefined : toNumber(index, "slice"));

/** Methods of strings that templates may call, JavaScript's and Python's names. */
const STRING_METHODS: Readonly<Record<string, Member<string>>> = {
  upper: (text) => () => text.toUpperCase(),
  lower: (text) => () => text.toLowerCase(),
  toUpperCase: (text) => () => text.toUpperCase(),
  toLowerCase: (text) => () => text.toLowerCase(),
  title: (text) => () => text.replace(/\b\w/g, (letter) => letter.toUpperCase()),
  capitalize: (text) => () => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase(),
  strip: (text) => () => text.trim(),
  trim: (text) => () => text.trim(),
  lstrip: (text) => () => text.trimStart(),
  rstrip: (text) => () => text.trimEnd(),
  split: (text, budget) => (separator: unknown) => {
    const parts = separator === undefined ? text.trim().split(/\s+/) : text.split(toPlainText(separator));
    budget.step(parts.length);
    return parts;
  },
  replace: (text, budget) => (from: unknown, to: unknown) => replaceText(text, toPlainText(from), toPlainText(to), -1, budget),
  startswith: (text) => (part: unknown) => text.startsWith(toPlainText(part)),
  endswith: (text) => (part: unknown) => text.endsWith(toPlainText(part)),
  startsWith: (text) => (part: unknown) => text.startsWith(toPlainText(part)),
  endsWith: (text) => (part: unknown) => text.endsWith(toPlainText(part)),
  includes: (text) => (part: unknown) => text.includes(toPlainText(part)),
  slice: (text) => (start: unknown, end: unknown) => text.slice(position(start), position(end)),
  zfill: (text, budget) => (width: unknown) => {
    const length = toNumber(width, "zfill");
    budget.text(length);
    return text.padStart(length, "0");
  },
  join: (text, budget) => (parts: unknown) => (Array.isArray(parts) ? joinList(parts, text, budget) : toPlainText(parts)),
};

const ARRAY_METHODS: Readonly<Record<string, Member<readonly unknown[]>>> = {
  join: (list, budget) => (separator: unknown) => joinList(list, separator === undefined ? "," : toPlainText(separator), budget),
  includes: (list) => (value: unknown) => list.includes(value),
  slice: (list) => (start: unknown, end: unknown) => list.slice(position(start), position(end)),
};

/** Python's dict methods, unless the data has a property of that name. */
const OBJECT_METHODS: Readonly<Record<string, Member<Record<string, unknown>>>> = {
  get: (object) => (key: unknown, fallback: unknown) => ownValue(object, toPlainText(key)) ?? fallback ?? null,
  keys: (object, budget) => () => toKeys(object, budget, "keys()"),
  values: (object, budget) => () => toKeys(object, budget, "values()").map((key) => object[key]),
  items: (object, budget) => () => toKeys(object, budget, "items()").map((key) => [key, object[key]]),
};

/**
 * The member of a value that a template may see, or undefined. Only own properties and the methods listed above: a
 * template reaches no constructor, prototype or global, whatever it is given.
 */
export function readMember(object: unknown, key: unknown, budget: Budget): unknown {
  const name = toPlainText(key);
  if (object instanceof LookupNamespace) {
    if (name !== "get") return object.find(name);
    return callable((asked: unknown, fallback: unknown) => object.find(toPlainText(asked)) ?? fallback ?? null);
  }
  if (typeof object === "string" || Array.isArray(object)) {
    if (name === "length") return object.length;
    const index = typeof key === "number" ? key : /^-?\d+$/.test(name) ? Number(name) : undefined;
    if (index !== undefined) return object.at(index);
    return typeof object === "string"
      ? method(STRING_METHODS, name, object, budget)
      : method(ARRAY_METHODS, name, object, budget);
  }
  if (typeof object === "number" && name === "toFixed")
    return callable((digits: unknown) => object.toFixed(toNumber(digits ?? 0, "toFixed")));
  if (typeof object !== "object" || object === null) return undefined;
  if (Object.hasOwn(object, name)) return ownValue(object, name);
  return method(OBJECT_METHODS, name, object as Record<string, unknown>, budget);
}

/** A method costs what it reads: the whole value. */
function method<T extends object | string>(
  methods: Readonly<Record<string, Member<T>>>,
  name: string,
  value: T,
  budget: Budget,
): unknown {
  const bind = ownValue(methods, name);
  if (bind === undefined) return undefined;
  if (typeof value === "string") budget.text(value.length);
  else budget.step(Array.isArray(value) ? value.length : 1);
  return callable(bind(value, budget) as () => unknown);
}

function joinList(list: readonly unknown[], separator: string, budget: Budget): string {
  budget.text(separator.length * list.length);
  return list.map((part) => (part === null || part === undefined ? "" : toText(part, budget))).join(separator);
}

function ownValue<V>(object: Readonly<Record<string, V>> | object, name: string): V | undefined {
  return Object.hasOwn(object, name) ? (object as Record<string, V>)[name] : undefined;
}
