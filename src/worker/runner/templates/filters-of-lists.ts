import type { Budget } from "./budget.ts";
import { applyComparison } from "./operators.ts";
import { readMember } from "./template-members.ts";
import { TESTS } from "./template-tests.ts";
import { isDate, toKeys, toList, toNumber, toPlainText, toText } from "./template-values.ts";

type ListFilter = (list: readonly unknown[], args: readonly unknown[], budget: Budget) => unknown;

const MOST_GROUPS = 100_000;

function ofList(name: string, parameters: readonly string[], apply: ListFilter) {
  return {
    parameters,
    apply: (value: unknown, args: readonly unknown[], budget: Budget) =>
      apply(toList(value, budget, `the filter ${name}`), args, budget),
  };
}

/** The value at a path as "a.b", of own properties only. */
function readPath(item: unknown, path: unknown, budget: Budget): unknown {
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

function compare(a: unknown, b: unknown, isCaseSensitive: unknown): number {
  const [x, y] = isCaseSensitive ? [a, b] : [fold(a), fold(b)];
  return applyComparison("<", x, y) ? -1 : applyComparison(">", x, y) ? 1 : 0;
}

function fold(value: unknown): unknown {
  return typeof value === "string" ? value.toLowerCase() : value;
}

/** A sort compares each element some twenty times. */
function spendSort(list: readonly unknown[], budget: Budget): void {
  budget.step(list.length * 20);
  for (const element of list) if (typeof element === "string") budget.text(element.length);
}

function select(name: string, wanted: boolean) {
  return ofList(name, ["test", "argument"], (list, [testName, argument], budget) => {
    const test = TESTS.get(testName === undefined ? "truthy" : toPlainText(testName));
    if (test === undefined) throw new Error(`test not found: ${toPlainText(testName)}`);
    return list.filter((element) => test(element, argument, budget) === wanted);
  });
}

function selectAttribute(name: string, wanted: boolean) {
  return ofList(name, ["attribute"], (list, [path], budget) =>
    list.filter((element) => Boolean(readPath(element, path, budget)) === wanted),
  );
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
  budget.text(between.length * list.length);
  // As in JavaScript, null and undefined are empty.
  const parts = list
    .map((element) => readPath(element, path, budget))
    .map((part) => (part === null || part === undefined ? "" : toText(part, budget)));
  return parts.join(between);
}

function sum(list: readonly unknown[], [path, start]: readonly unknown[], budget: Budget): number {
  const first = toNumber(start ?? 0, "the filter sum");
  return list.reduce<number>(
    (total, element) => total + toNumber(requirePath(element, path, "sum", budget), "the filter sum"),
    first,
  );
}

function groupBy(list: readonly unknown[], [path]: readonly unknown[], budget: Budget): Record<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const element of list) {
    const key = toText(requirePath(element, path, "groupby", budget), budget);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [element]);
    else group.push(element);
  }
  return Object.fromEntries(groups);
}

function sort(list: readonly unknown[], [reverse, isCaseSensitive, path]: readonly unknown[], budget: Budget): unknown[] {
  spendSort(list, budget);
  const keyed = list.map((element) => ({
    element,
    key: path === undefined ? element : requirePath(element, path, "sort", budget),
  }));
  keyed.sort((a, b) => compare(a.key, b.key, isCaseSensitive) * (reverse ? -1 : 1));
  return keyed.map(({ element }) => element);
}

function dictSort(value: unknown, [isCaseSensitive, by]: readonly unknown[], budget: Budget): unknown[] {
  if (Array.isArray(value) || isDate(value)) throw new Error("the filter dictsort needs an object");
  if (by !== undefined && by !== "key" && by !== "value") throw new Error('the filter dictsort sorts by "key" or "value"');
  const position = by === "value" ? 1 : 0;
  const entries = toKeys(value, budget, "the filter dictsort").map(
    (key) => [key, (value as Record<string, unknown>)[key]] as const,
  );
  spendSort(entries, budget);
  return entries.sort((a, b) => compare(a[position], b[position], isCaseSensitive)).map((entry) => [...entry]);
}

function lengthOf(value: unknown, _args: readonly unknown[], budget: Budget): number {
  if (value === null || value === false) return 0;
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  return toKeys(value, budget, "the filter length").length;
}

function toListOf(value: unknown, _args: readonly unknown[], budget: Budget): unknown {
  if (typeof value === "string" || Array.isArray(value)) return toList(value, budget, "the filter list");
  return toKeys(value, budget, "the filter list").map((key) => ({ key, value: (value as Record<string, unknown>)[key] }));
}

function ofEnd(name: string, index: number) {
  return {
    parameters: [],
    // One element of a long list costs nothing.
    apply: (value: unknown, _args: readonly unknown[], budget: Budget) =>
      (Array.isArray(value) ? value : toList(value, budget, `the filter ${name}`)).at(index),
  };
}

export const LIST_FILTERS = {
  batch: ofList("batch", ["linecount", "fill_with"], batch),
  dictsort: { parameters: ["case_sensitive", "by"], apply: dictSort },
  first: ofEnd("first", 0),
  groupby: ofList("groupby", ["attribute"], groupBy),
  join: ofList("join", ["d", "attribute"], join),
  last: ofEnd("last", -1),
  length: { parameters: [], apply: lengthOf },
  list: { parameters: [], apply: toListOf },
  random: ofList("random", [], (list) => list[Math.floor(Math.random() * list.length)]),
  reject: select("reject", false),
  rejectattr: selectAttribute("rejectattr", false),
  reverse: {
    parameters: [],
    apply(value: unknown, _args: readonly unknown[], budget: Budget) {
      const reversed = toList(value, budget, "the filter reverse").toReversed();
      return typeof value === "string" ? reversed.join("") : reversed;
    },
  },
  select: select("select", true),
  selectattr: selectAttribute("selectattr", true),
  slice: ofList("slice", ["slices", "fill_with"], slice),
  sort: ofList("sort", ["reverse", "case_sensitive", "attribute"], sort),
  sum: ofList("sum", ["attribute", "start"], sum),
};
