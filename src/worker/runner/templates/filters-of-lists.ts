import type { Budget } from "./budget.ts";
import { LookupNamespace } from "./lookup.ts";
import { compareOrder, isTruthy, requireSafe } from "./operators.ts";
import { bindArguments, signatureOf } from "./template-function.ts";
import { readMember } from "./template-members.ts";
import { TESTS } from "./template-tests.ts";
import { describe, isDate, toKeys, toList, toNumber, toPlainText } from "./template-values.ts";
import { joinList } from "./text-methods.ts";

type ListFilter = (list: readonly unknown[], args: readonly unknown[], budget: Budget) => unknown;

const MOST_GROUPS = 100_000;

function ofList(name: string, signature: string, apply: ListFilter) {
  return {
    signature: signatureOf(signature),
    apply: (value: unknown, args: readonly unknown[], budget: Budget) =>
      apply(toList(value, budget, `the filter ${name}`), args, budget),
  };
}

/** The value at a path as "a.b", of own properties only. */
export function readPath(item: unknown, path: unknown, budget: Budget): unknown {
  if (path === undefined || path === null) return item;
  return toPlainText(path)
    .split(".")
    .reduce<unknown>((at, key) => (at === undefined || at === null ? undefined : readMember(at, key, budget)), item);
}

function requirePath(item: unknown, path: unknown, name: string, budget: Budget): unknown {
  const value = readPath(item, path, budget);
  if (value === undefined) throw new Error(`the filter ${name} finds no '${toPlainText(path)}' in an element`);
  return value;
}

/** What a value is compared by: a text without its case, if not told otherwise. Made once per element, not once per comparison. */
function toKey(value: unknown, isCaseSensitive: unknown, budget: Budget): unknown {
  if (typeof value !== "string" || isTruthy(isCaseSensitive)) return value;
  budget.text(value.length);
  return value.toLowerCase();
}

/** A sort compares each element some twenty times. */
function spendSort(list: readonly unknown[], budget: Budget): void {
  budget.step(list.length * 20);
}

/** A test by its name, as in `select('eq', 1)`, with its arguments. */
function testOf(testName: unknown, args: unknown, use: string, budget: Budget): (value: unknown) => boolean {
  const name = testName === undefined ? "truthy" : toPlainText(testName);
  const test = TESTS.get(name);
  if (test === undefined) throw new Error(`test not found: ${name}`);
  const [argument] = bindArguments(`the test ${name} in ${use}`, test.signature, {
    positional: Array.isArray(args) ? args : [],
    keywords: new Map(),
  });
  return (value) => test.apply(value, argument, budget);
}

function select(name: string, wanted: boolean) {
  return ofList(name, "test=truthy, /, *args", (list, [testName, args], budget) => {
    const test = testOf(testName, args, `the filter ${name}`, budget);
    return list.filter((element) => test(element) === wanted);
  });
}

function selectAttribute(name: string, wanted: boolean) {
  return ofList(name, "attribute, test=truthy, /, *args", (list, [path, testName, args], budget) => {
    const test = testOf(testName, args, `the filter ${name}`, budget);
    return list.filter((element) => test(readPath(element, path, budget)) === wanted);
  });
}

function countOf(size: unknown, name: string): number {
  const count = toNumber(size, `the filter ${name}`);
  if (!(Number.isInteger(count) && count >= 1 && count <= MOST_GROUPS))
    throw new Error(`the filter ${name} needs a whole number from 1 to ${MOST_GROUPS.toLocaleString("en")}, not ${count}`);
  return count;
}

const isGiven = (value: unknown) => value !== undefined && value !== null;

function batch(list: readonly unknown[], [size, fill]: readonly unknown[], budget: Budget): unknown[] {
  const count = countOf(size, "batch");
  const batches: unknown[][] = [];
  for (let at = 0; at < list.length; at += count) batches.push(list.slice(at, at + count));
  budget.step(count);
  const last = batches.at(-1);
  while (isGiven(fill) && last !== undefined && last.length < count) last.push(fill);
  return batches;
}

function slice(list: readonly unknown[], [slices, fill]: readonly unknown[], budget: Budget): unknown[] {
  const count = countOf(slices, "slice");
  budget.step(count);
  const length = Math.floor(list.length / count);
  const longer = list.length % count;
  return Array.from({ length: count }, (_, index) => {
    const start = index * length + Math.min(index, longer);
    const part = list.slice(start, start + length + (index < longer ? 1 : 0));
    return isGiven(fill) && index >= longer ? [...part, fill] : part;
  });
}

function join(list: readonly unknown[], [separator, path]: readonly unknown[], budget: Budget): string {
  const between = separator === undefined || separator === null ? "" : toPlainText(separator);
  const parts = isGiven(path) ? list.map((element) => requirePath(element, path, "join", budget)) : list;
  return joinList(parts, between, budget);
}

function sum(list: readonly unknown[], [path, start]: readonly unknown[], budget: Budget): number {
  const total = list.reduce<number>(
    (before, element) => before + toNumber(requirePath(element, path, "sum", budget), "the filter sum"),
    toNumber(start ?? 0, "the filter sum"),
  );
  return requireSafe(total);
}

/** Jinja's pairs, sorted: `for name, items in …`, or `.grouper` and `.list` of each. */
function groupBy(
  list: readonly unknown[],
  [path, fallback, isCaseSensitive]: readonly unknown[],
  budget: Budget,
): readonly unknown[] {
  spendSort(list, budget);
  const keyed = list.map((element) => {
    const value = fallback === undefined ? requirePath(element, path, "groupby", budget) : readPath(element, path, budget);
    const grouper = value === undefined ? fallback : value;
    return { element, grouper, key: toKey(grouper, isCaseSensitive, budget) };
  });
  keyed.sort((a, b) => compareOrder(a.key, b.key, "the filter groupby", budget));
  const groups: { grouper: unknown; list: unknown[] }[] = [];
  let lastKey: unknown;
  for (const { element, grouper, key } of keyed) {
    const last = groups.at(-1);
    if (last !== undefined && compareOrder(lastKey, key, "the filter groupby", budget) === 0) last.list.push(element);
    else groups.push({ grouper, list: [element] });
    lastKey = key;
  }
  return groups.map((group) => Object.assign([group.grouper, group.list], group));
}

function sort(list: readonly unknown[], [reverse, isCaseSensitive, path]: readonly unknown[], budget: Budget): unknown[] {
  spendSort(list, budget);
  const keyed = list.map((element) => ({
    element,
    key: toKey(requirePath(element, path, "sort", budget), isCaseSensitive, budget),
  }));
  const sign = isTruthy(reverse) ? -1 : 1;
  keyed.sort((a, b) => sign * compareOrder(a.key, b.key, "the filter sort", budget));
  return keyed.map(({ element }) => element);
}

function extreme(name: string, sign: number) {
  return ofList(name, "case_sensitive=False, attribute=None", (list, [isCaseSensitive, path], budget) => {
    const keyed = list.map((element) => ({
      element,
      key: toKey(requirePath(element, path, name, budget), isCaseSensitive, budget),
    }));
    const [first, ...rest] = keyed;
    return rest.reduce(
      (best, each) =>
        best !== undefined && sign * compareOrder(each.key, best.key, `the filter ${name}`, budget) > 0 ? each : best,
      first,
    )?.element;
  });
}

function unique(list: readonly unknown[], [isCaseSensitive, path]: readonly unknown[], budget: Budget): unknown[] {
  const seen = new Set<unknown>();
  return list.filter((element) => {
    const key = requirePath(element, path, "unique", budget);
    if (typeof key === "object" && key !== null && !isDate(key))
      throw new Error(
        `the filter unique compares texts and numbers, not ${describe(key)}: name an attribute, unique(attribute='id')`,
      );
    const plain =
      typeof key === "boolean" ? Number(key) : isDate(key) ? `date ${key.toString()}` : toKey(key, isCaseSensitive, budget);
    const isNew = !seen.has(plain);
    seen.add(plain);
    return isNew;
  });
}

function entriesOf(value: unknown, name: string, budget: Budget): (readonly [string, unknown])[] {
  if (Array.isArray(value) || isDate(value)) throw new Error(`the filter ${name} needs an object, not ${describe(value)}`);
  return toKeys(value, budget, `the filter ${name}`).map((key) => [key, (value as Record<string, unknown>)[key]] as const);
}

function dictSort(value: unknown, [isCaseSensitive, by, reverse]: readonly unknown[], budget: Budget): unknown[] {
  if (by !== undefined && by !== "key" && by !== "value") throw new Error('the filter dictsort sorts by "key" or "value"');
  const position = by === "value" ? 1 : 0;
  const entries = entriesOf(value, "dictsort", budget).map((entry) => ({
    entry,
    key: toKey(entry[position], isCaseSensitive, budget),
  }));
  spendSort(entries, budget);
  const sign = isTruthy(reverse) ? -1 : 1;
  return entries.sort((a, b) => sign * compareOrder(a.key, b.key, "the filter dictsort", budget)).map(({ entry }) => [...entry]);
}

function lengthOf(value: unknown, _args: readonly unknown[], budget: Budget): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  return toKeys(value, budget, "the filter length").length;
}

function ofEnd(name: string, index: number) {
  return {
    signature: signatureOf(""),
    // One element of a long list costs nothing.
    apply: (value: unknown, _args: readonly unknown[], budget: Budget) =>
      (Array.isArray(value) ? value : toList(value, budget, `the filter ${name}`)).at(index),
  };
}

const length = { signature: signatureOf(""), apply: lengthOf };

export const LIST_FILTERS = {
  /** Own properties only, and no methods. */
  attr: {
    signature: signatureOf("name"),
    apply(value: unknown, [name]: readonly unknown[], budget: Budget) {
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      if (value instanceof LookupNamespace) return value.find(toPlainText(name));
      return isObject && Object.hasOwn(value, toPlainText(name)) ? readMember(value, name, budget) : undefined;
    },
  },
  batch: ofList("batch", "linecount, fill_with=None", batch),
  count: length,
  dictsort: { signature: signatureOf("case_sensitive=False, by='key', reverse=False"), apply: dictSort },
  first: ofEnd("first", 0),
  groupby: ofList("groupby", "attribute, default=None, case_sensitive=False", groupBy),
  items: {
    signature: signatureOf(""),
    apply: (value: unknown, _args: readonly unknown[], budget: Budget) =>
      entriesOf(value, "items", budget).map((entry) => [...entry]),
  },
  join: ofList("join", "d='', attribute=None", join),
  last: ofEnd("last", -1),
  length,
  list: ofList("list", "", (list) => [...list]),
  max: extreme("max", 1),
  min: extreme("min", -1),
  random: ofList("random", "", (list) => list[Math.floor(Math.random() * list.length)]),
  reject: select("reject", false),
  rejectattr: selectAttribute("rejectattr", false),
  reverse: {
    signature: signatureOf(""),
    apply(value: unknown, _args: readonly unknown[], budget: Budget) {
      const reversed = toList(value, budget, "the filter reverse").toReversed();
      return typeof value === "string" ? reversed.join("") : reversed;
    },
  },
  select: select("select", true),
  selectattr: selectAttribute("selectattr", true),
  slice: ofList("slice", "slices, fill_with=None", slice),
  sort: ofList("sort", "reverse=False, case_sensitive=False, attribute=None", sort),
  sum: ofList("sum", "attribute=None, start=0", sum),
  unique: ofList("unique", "case_sensitive=False, attribute=None", unique),
};
