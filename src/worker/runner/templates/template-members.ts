import type { Budget } from "./budget.ts";
import { LookupNamespace } from "./lookup.ts";
import { isEqual } from "./operators.ts";
import { callable, declarationOf, isCallable } from "./template-function.ts";
import { describe, toKeys, toNumber, toPlainText } from "./template-values.ts";
import { joinList, TEXT_METHODS, toPosition } from "./text-methods.ts";

type Member<T> = (value: T, budget: Budget) => unknown;

const ARRAY_METHODS: Readonly<Record<string, Member<readonly unknown[]>>> = {
  join: (list, budget) =>
    callable("separator=','", (separator: unknown) =>
      joinList(list, separator === undefined ? "," : toPlainText(separator), budget),
    ),
  includes: (list, budget) =>
    callable("value", (value: unknown) => {
      budget.step(list.length);
      return list.some((element) => isEqual(element, value, budget));
    }),
  count: (list, budget) =>
    callable("value", (value: unknown) => {
      budget.step(list.length);
      return list.filter((element) => isEqual(element, value, budget)).length;
    }),
  index: (list, budget) =>
    callable("value", (value: unknown) => {
      budget.step(list.length);
      const at = list.findIndex((element) => isEqual(element, value, budget));
      if (at === -1) throw new Error(`index(): the list has no ${describe(value)}`);
      return at;
    }),
  slice: (list) =>
    callable("start=0, end=None", (start: unknown, end: unknown) => list.slice(toPosition(start), toPosition(end))),
};

/** Python's dict methods, unless the data has a property of that name. */
const OBJECT_METHODS: Readonly<Record<string, Member<Record<string, unknown>>>> = {
  get: (object) =>
    callable("key, default=None, /", (key: unknown, fallback: unknown) => {
      const value = ownValue(object, toPlainText(key));
      return value === undefined ? (fallback ?? null) : value;
    }),
  keys: (object, budget) => callable("", () => toKeys(object, budget, "keys()")),
  values: (object, budget) => callable("", () => toKeys(object, budget, "values()").map((key) => object[key])),
  items: (object, budget) => callable("", () => toKeys(object, budget, "items()").map((key) => [key, object[key]])),
};

/** Of lists that are pairs of `groupby`. */
const PAIR_NAMES: readonly string[] = ["grouper", "list"];

/**
 * The member of a value that a template may see, or undefined. Only own properties and the methods listed above: a
 * template reaches no constructor, prototype or global, whatever it is given.
 */
export function readMember(object: unknown, key: unknown, budget: Budget): unknown {
  const name = toPlainText(key);
  if (object instanceof LookupNamespace) {
    if (name !== "get") return object.find(name);
    return callable(object.getSignature, (asked: unknown, fallback: unknown) => {
      const value = object.find(toPlainText(asked));
      return value === undefined ? fallback : value;
    });
  }
  if (typeof object === "string" || Array.isArray(object)) {
    if (name === "length") return object.length;
    const index = typeof key === "number" ? key : /^-?\d+$/.test(name) ? Number(name) : undefined;
    if (index !== undefined) return object.at(index);
    if (typeof object === "string") return method(TEXT_METHODS, name, object, budget);
    return PAIR_NAMES.includes(name) ? ownValue(object, name) : method(ARRAY_METHODS, name, object, budget);
  }
  if (typeof object === "number" && name === "toFixed")
    return callable("digits=0", (digits: unknown) => toFixed(object, toNumber(digits ?? 0, "toFixed")));
  if (isCallable(object)) return ownValue(declarationOf(object)?.members ?? {}, name);
  if (typeof object !== "object" || object === null) return undefined;
  if (Object.hasOwn(object, name)) return ownValue(object, name);
  return method(OBJECT_METHODS, name, object as Record<string, unknown>, budget);
}

function toFixed(number: number, digits: number): string {
  if (!(digits >= 0 && digits <= 100)) throw new Error(`toFixed() takes 0 to 100 digits, not ${digits}`);
  return number.toFixed(digits);
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
  return bind(value, budget);
}

/** Python's `value[start:stop:step]`; what is made is counted. */
export function readSlice(value: unknown, [start, stop, step]: readonly unknown[], budget: Budget): unknown {
  if (typeof value !== "string" && !Array.isArray(value))
    throw new Error(`a slice [a:b] is of a text or a list, not of ${describe(value)}`);
  const by = wholeOr(step, 1);
  if (by === 0) throw new Error("the step of a slice cannot be 0");
  const { length } = value;
  const clamp = (index: number) => {
    const at = index < 0 ? index + length : index;
    return by > 0 ? Math.min(Math.max(at, 0), length) : Math.min(Math.max(at, -1), length - 1);
  };
  const first = isGiven(start) ? clamp(wholeOr(start, 0)) : by > 0 ? 0 : length - 1;
  const end = isGiven(stop) ? clamp(wholeOr(stop, 0)) : by > 0 ? length : -1;
  const count = Math.max(0, Math.ceil((end - first) / by));
  if (typeof value === "string") {
    if (by === 1) return value.slice(first, first + count);
    budget.text(count);
    budget.step(count);
    return Array.from({ length: count }, (_, at) => value.charAt(first + at * by)).join("");
  }
  budget.step(count);
  return Array.from({ length: count }, (_, at) => value[first + at * by]);
}

const isGiven = (value: unknown) => value !== undefined && value !== null;

function wholeOr(value: unknown, fallback: number): number {
  if (!isGiven(value)) return fallback;
  if (typeof value !== "number" || !Number.isInteger(value))
    throw new Error(`the bounds of a slice are whole numbers, not ${describe(value)}`);
  return value;
}

function ownValue<V>(object: Readonly<Record<string, V>> | object, name: string): V | undefined {
  return Object.hasOwn(object, name) ? (object as Record<string, V>)[name] : undefined;
}
