import type { Budget } from "./budget.ts";
import { callable } from "./template-function.ts";
import { describe, isDate, noFunction, toKeys, toList, toNumber, toPlainText } from "./template-values.ts";

/** As in Jinja's sandbox. */
const LONGEST_RANGE = 100_000;

/** Objects made by `namespace()`, the only ones that a template can change. */
const namespaces = new WeakSet<object>();

/** Functions of the language, made for one rendering. */
export function createGlobals(budget: Budget): ReadonlyMap<string, unknown> {
  const toDict = (from: unknown, values: ReadonlyMap<string, unknown>) => createDict(from, values, budget);
  return new Map<string, unknown>([
    ["range", callable("start, stop=None, step=1, /", (...bounds: unknown[]) => range(bounds, budget))],
    ["cycler", callable("*items", (items: readonly unknown[]) => createCycler(items))],
    ["joiner", callable("sep=", (separator: unknown) => createJoiner(separator === undefined ? ", " : toPlainText(separator)))],
    ["dict", callable("mapping=None, /, **values", toDict)],
    [
      "namespace",
      callable("mapping=None, /, **values", (from: unknown, values: ReadonlyMap<string, unknown>) => {
        const namespace = toDict(from, values);
        namespaces.add(namespace);
        return namespace;
      }),
    ],
  ]);
}

/** `{% set ns.name = value %}`. */
export function setInNamespace(target: unknown, owner: string, name: string, value: unknown): void {
  if (typeof target !== "object" || target === null || !namespaces.has(target))
    throw new Error(
      `'${owner}.${name}' cannot be set, because ${owner} is no namespace: write {% set ${owner} = namespace(${name}=…) %} before`,
    );
  Object.defineProperty(target, name, { value: noFunction(value), enumerable: true, configurable: true, writable: true });
}

/** A copy, also of a list of pairs. */
function createDict(from: unknown, values: ReadonlyMap<string, unknown>, budget: Budget): Record<string, unknown> {
  const entries: (readonly [string, unknown])[] = [];
  if (Array.isArray(from)) {
    for (const pair of toList(from, budget, "dict()")) {
      if (!Array.isArray(pair) || pair.length !== 2) throw new Error(`dict() needs pairs [key, value], not ${describe(pair)}`);
      entries.push([toPlainText(pair[0]), pair[1]]);
    }
  } else if (from !== undefined) {
    if (isDate(from)) throw new Error("dict() needs an object or a list of pairs, not a date");
    for (const key of toKeys(from, budget, "dict()")) entries.push([key, (from as Record<string, unknown>)[key]]);
  }
  return Object.fromEntries([...entries, ...values].map(([key, value]) => [key, noFunction(value)]));
}

function range(bounds: readonly unknown[], budget: Budget): number[] {
  const [first = 0, second, step = 1] = bounds.map((bound) => (bound === undefined ? undefined : toNumber(bound, "range()")));
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new Error("the step of range() cannot be 0");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= LONGEST_RANGE))
    throw new Error(`range() gives at most ${LONGEST_RANGE.toLocaleString("en")} numbers, not ${length}`);
  budget.step(length);
  return Array.from({ length }, (_, index) => start + index * step);
}

function createCycler(items: readonly unknown[]): object {
  if (items.length === 0) throw new Error("cycler() needs at least one item");
  let index = 0;
  return {
    get current() {
      return items[index];
    },
    next: callable("", () => {
      const item = items[index];
      index = (index + 1) % items.length;
      return item;
    }),
    reset: callable("", () => {
      index = 0;
      return null;
    }),
  };
}

function createJoiner(separator: string): () => string {
  let isFirst = true;
  return callable("", () => {
    const text = isFirst ? "" : separator;
    isFirst = false;
    return text;
  });
}
