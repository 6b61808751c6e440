import { LookupNamespace } from "./lookup.ts";

/** Methods of strings that templates may call, JavaScript's and Python's names. */
const STRING_METHODS: Readonly<Record<string, (text: string) => unknown>> = {
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
  split: (text) => (separator: unknown) => (separator === undefined ? text.trim().split(/\s+/) : text.split(String(separator))),
  replace: (text) => (from: unknown, to: unknown) => text.replaceAll(String(from), () => String(to)),
  startswith: (text) => (part: unknown) => text.startsWith(String(part)),
  endswith: (text) => (part: unknown) => text.endsWith(String(part)),
  startsWith: (text) => (part: unknown) => text.startsWith(String(part)),
  endsWith: (text) => (part: unknown) => text.endsWith(String(part)),
  includes: (text) => (part: unknown) => text.includes(String(part)),
  slice: (text) => (start?: number, end?: number) => text.slice(start, end),
  zfill: (text) => (width: unknown) => text.padStart(Number(width), "0"),
  join: (text) => (parts: unknown) => (Array.isArray(parts) ? parts.join(text) : String(parts)),
  length: (text) => text.length,
};

const ARRAY_METHODS: Readonly<Record<string, (list: readonly unknown[]) => unknown>> = {
  length: (list) => list.length,
  join: (list) => (separator: unknown) => list.join(separator === undefined ? "," : String(separator)),
  includes: (list) => (value: unknown) => list.includes(value),
  slice: (list) => (start?: number, end?: number) => list.slice(start, end),
};

/** Python's dict methods, unless the data has a property of that name. */
const OBJECT_METHODS: Readonly<Record<string, (object: Record<string, unknown>) => unknown>> = {
  get: (object) => (key: unknown, fallback: unknown) => ownValue(object, String(key)) ?? fallback ?? null,
  keys: (object) => () => Object.keys(object),
  values: (object) => () => Object.values(object),
  items: (object) => () => Object.entries(object),
};

/**
 * The member of a value that a template may see, or undefined. Only own properties and the methods listed above: a
 * template reaches no constructor, prototype or global, whatever it is given.
 */
export function readMember(object: unknown, key: unknown): unknown {
  if (object instanceof LookupNamespace) {
    if (key === "get") return (name: unknown, fallback: unknown) => object.find(String(name)) ?? fallback ?? null;
    return object.find(String(key));
  }
  if (typeof object === "string" || object instanceof String) return readIndexed(String(object), key, STRING_METHODS);
  if (Array.isArray(object)) return readIndexed<readonly unknown[]>(object, key, ARRAY_METHODS);
  if (typeof object === "number" && key === "toFixed") return (digits: unknown) => object.toFixed(Number(digits ?? 0));
  if (typeof object !== "object" || object === null) return undefined;
  const name = String(key);
  if (Object.hasOwn(object, name)) return ownValue(object, name);
  return ownValue(OBJECT_METHODS, name)?.(object as Record<string, unknown>);
}

function readIndexed<T extends string | readonly unknown[]>(
  value: T,
  key: unknown,
  methods: Readonly<Record<string, (value: T) => unknown>>,
): unknown {
  const index = typeof key === "number" ? key : /^-?\d+$/.test(String(key)) ? Number(key) : undefined;
  if (index !== undefined) return value.at(index);
  return ownValue(methods, String(key))?.(value);
}

function ownValue<V>(object: Readonly<Record<string, V>> | object, name: string): V | undefined {
  return Object.hasOwn(object, name) ? (object as Record<string, V>)[name] : undefined;
}
