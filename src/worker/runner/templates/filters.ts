import type { Budget } from "./budget.ts";
import { LIST_FILTERS, readPath } from "./filters-of-lists.ts";
import { TEXT_FILTERS } from "./filters-of-texts.ts";
import { isTruthy, requireSafe } from "./operators.ts";
import { bindArguments, type GivenValues, type Signature, signatureOf } from "./template-function.ts";
import { describe, toList, toNumber, toPlainText } from "./template-values.ts";

export type Filter = {
  readonly signature: Signature;
  /** `args` are in the order of the signature. */
  readonly apply: (value: unknown, args: readonly unknown[], budget: Budget) => unknown;
};

/** The only filter that is given undefined values, also as an argument. */
export const ACCEPTS_UNDEFINED: ReadonlySet<string> = new Set(["default", "d"]);

const filterDefault: Filter = { signature: signatureOf("default_value='', boolean=False"), apply: applyDefault };

/** The filters of `value | name(…)`: Jinja's, and those of Airflow. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...Object.entries(TEXT_FILTERS),
  ...Object.entries(LIST_FILTERS),
  ["default", filterDefault],
  ["d", filterDefault],
  ["abs", { signature: signatureOf(""), apply: (value: unknown) => Math.abs(toNumber(value, "the filter abs")) }],
  ["map", { signature: signatureOf("filter=, /, *args, attribute=None, default=None, **kwargs"), apply: applyMap }],
  ["round", { signature: signatureOf("precision=0, method='common'"), apply: round }],
  ["float", { signature: signatureOf("default=0.0"), apply: toFloat }],
  ["int", { signature: signatureOf("default=0, base=10"), apply: toInt }],
]);

/** `map(attribute='a')`, or `map('replace', 'a', 'b')`: a filter for each element. */
function applyMap(value: unknown, [name, args, path, fallback, keywords]: readonly unknown[], budget: Budget): unknown {
  const list = toList(value, budget, "the filter map");
  const given = { positional: Array.isArray(args) ? args : [], keywords: keywords instanceof Map ? keywords : new Map() };
  if (name === undefined) {
    if (path === undefined) throw new Error("the filter map needs the name of a filter, or attribute='…'");
    if (given.keywords.size > 0) bindArguments("the filter map(attribute=…)", signatureOf("attribute, default=None"), given);
    return list.map((element) => readOrFail(element, path, fallback, budget));
  }
  const filter = FILTERS.get(toPlainText(name));
  if (filter === undefined) throw new Error(`filter not found: ${toPlainText(name)}`);
  const all = new Map(given.keywords);
  if (path !== undefined) all.set("attribute", path);
  if (fallback !== undefined) all.set("default", fallback);
  const bound = bindFilter(toPlainText(name), filter, { positional: given.positional, keywords: all });
  return budget.nest(() =>
    list.map((element) => {
      if (element === undefined && !ACCEPTS_UNDEFINED.has(toPlainText(name)))
        throw new Error(`the filter ${toPlainText(name)} is given an element that is undefined`);
      return filter.apply(element, bound, budget);
    }),
  );
}

function readOrFail(element: unknown, path: unknown, fallback: unknown, budget: Budget): unknown {
  const value = readPath(element, path, budget);
  if (value !== undefined) return value;
  if (fallback !== undefined) return fallback;
  throw new Error(
    `the filter map finds no '${toPlainText(path)}' in an element: give a default, map(attribute='…', default='…')`,
  );
}

export function bindFilter(name: string, filter: Filter, given: GivenValues): readonly unknown[] {
  return bindArguments(`the filter ${name}`, filter.signature, given);
}

function applyDefault(value: unknown, [fallback, ofFalsy]: readonly unknown[]): unknown {
  return value === undefined || (isTruthy(ofFalsy) && !isTruthy(value)) ? fallback : value;
}

/** As Python's round: a half goes to the even neighbour. */
function halfToEven(number: number): number {
  const rounded = Math.round(number);
  return Math.abs(number % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function round(value: unknown, [precision, method]: readonly unknown[]): number {
  const factor = 10 ** toNumber(precision ?? 0, "the filter round");
  if (method !== undefined && method !== "common" && method !== "ceil" && method !== "floor")
    throw new Error(`the filter round has the methods common, ceil and floor, not ${describe(method)}`);
  const rounder = method === "ceil" ? Math.ceil : method === "floor" ? Math.floor : halfToEven;
  return rounder(toNumber(value, "the filter round") * factor) / factor;
}

const DIGITS: Readonly<Record<number, RegExp>> = {
  2: /^[+-]?(?:0b)?[01]+$/i,
  8: /^[+-]?(?:0o)?[0-7]+$/i,
  10: /^[+-]?\d+$/,
  16: /^[+-]?(?:0x)?[\da-f]+$/i,
};

function toInt(value: unknown, [fallback = 0, base]: readonly unknown[], budget: Budget): unknown {
  if (typeof value === "string") budget.text(value.length);
  const radix = toNumber(base ?? 10, "the filter int");
  if (!Object.hasOwn(DIGITS, radix)) throw new Error(`the filter int knows the bases 2, 8, 10 and 16, not ${radix}`);
  const digits = typeof value === "string" ? value.trim().replace(/(?<=[\da-f])_(?=[\da-f])/gi, "") : "";
  const number = DIGITS[radix]?.test(digits)
    ? Number.parseInt(digits.replace(/^([+-]?)0[box]/i, "$1"), radix)
    : Math.trunc(parseNumber(value));
  return Number.isFinite(number) ? requireSafe(number) : fallback;
}

function toFloat(value: unknown, [fallback = 0]: readonly unknown[], budget: Budget): unknown {
  if (typeof value === "string") budget.text(value.length);
  const number = parseNumber(value);
  return Number.isNaN(number) ? fallback : number;
}

/** Of the whole text: "12px" is no number. */
function parseNumber(value: unknown): number {
  if (typeof value === "number" || typeof value === "boolean") return Number(value);
  const isNumber = typeof value === "string" && /^\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(value);
  return isNumber ? Number(value) : Number.NaN;
}
