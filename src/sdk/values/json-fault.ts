/**
 * The first place where a value is not JSON, and why: `path` is "" for the value itself, otherwise for example ".rows[3].amount".
 */
export type JsonFault = { path: string; fault: string };

const MAX_DEPTH = 500;
/** Half of a surrogate pair: cannot be encoded as UTF-8, and PostgreSQL's jsonb refuses it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The first place where a value cannot be represented as JSON without loss, or undefined. A property that is `undefined` is
 * allowed (JSON leaves it out); an array element is not (JSON would make it null).
 */
export function findJsonFault(value: unknown): JsonFault | undefined {
  return visit(value, "", new Set(), 0);
}

function visit(value: unknown, path: string, ancestors: Set<object>, depth: number): JsonFault | undefined {
  switch (typeof value) {
    case "boolean":
      return undefined;
    case "string":
      return stringFault(value, path);
    case "number":
      return Number.isFinite(value) ? undefined : { path, fault: `${value}: JSON has no such number; use null or a string` };
    case "bigint":
      return { path, fault: `the BigInt ${value}n: convert it with String(…) or Number(…)` };
    case "object":
      return value === null ? undefined : visitObject(value, path, ancestors, depth);
    case "undefined":
      return { path, fault: "undefined: use null" };
    default:
      return { path, fault: `a ${typeof value}: only data can be passed` };
  }
}

function visitObject(value: object, path: string, ancestors: Set<object>, depth: number): JsonFault | undefined {
  if (ancestors.has(value)) return { path, fault: "a reference to an object that contains it (a cycle)" };
  if (depth >= MAX_DEPTH) return { path, fault: `nested deeper than ${MAX_DEPTH} levels` };
  const classFault = foreignClass(value);
  if (classFault !== undefined) return { path, fault: classFault };
  ancestors.add(value);
  const fault = Array.isArray(value)
    ? visitElements(value, path, ancestors, depth)
    : visitProperties(value, path, ancestors, depth);
  ancestors.delete(value);
  return fault;
}

function visitElements(elements: unknown[], path: string, ancestors: Set<object>, depth: number): JsonFault | undefined {
  for (let index = 0; index < elements.length; index += 1) {
    const fault = visit(elements[index], `${path}[${index}]`, ancestors, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function visitProperties(object: object, path: string, ancestors: Set<object>, depth: number): JsonFault | undefined {
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const keyPath = /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
    const fault = stringFault(key, keyPath) ?? visit(value, keyPath, ancestors, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function stringFault(text: string, path: string): JsonFault | undefined {
  if (text.includes("\u0000")) return { path, fault: "a string with a NUL character, which PostgreSQL cannot keep: remove it" };
  if (LONE_SURROGATE.test(text)) return { path, fault: "a string with half of a surrogate pair: it is not valid Unicode" };
  return undefined;
}

function foreignClass(value: object): string | undefined {
  if (Array.isArray(value)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return undefined;
  if (value instanceof Date) return "a Date: pass its text, date.toISOString()";
  if (value instanceof Map) return "a Map: pass Object.fromEntries(map) or [...map]";
  if (value instanceof Set) return "a Set: pass [...set]";
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "binary data: pass a path, a key, or base64 text";
  if (value instanceof Promise) return "a Promise: await it first";
  // A plain object made in another realm (a vm context) has its own Object.prototype.
  const isForeignRoot = Object.getPrototypeOf(prototype) === null && Object.hasOwn(Object(prototype), "hasOwnProperty");
  if (isForeignRoot) return undefined;
  return `an instance of ${value.constructor?.name || "a class"}: pass a plain object`;
}
