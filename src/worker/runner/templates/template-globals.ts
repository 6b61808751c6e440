import type { Budget } from "./budget.ts";
import { callable, callables } from "./template-function.ts";
import { toNumber, toPlainText } from "./template-values.ts";

/** As in Jinja's sandbox. */
const LONGEST_RANGE = 100_000;

/** Functions of the language, made for one rendering. */
export function createGlobals(budget: Budget): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ["range", callable((...bounds: unknown[]) => range(bounds, budget))],
    ["cycler", callable((...items: unknown[]) => createCycler(items))],
    ["joiner", callable((separator: unknown) => createJoiner(separator === undefined ? "," : toPlainText(separator)))],
  ]);
}

function range(bounds: readonly unknown[], budget: Budget): number[] {
  const [first = 0, second, third = 1] = bounds.map((bound) => (bound === undefined ? undefined : toNumber(bound, "range()")));
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const step = third === 0 ? 1 : third;
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= LONGEST_RANGE))
    throw new Error(`range() gives at most ${LONGEST_RANGE.toLocaleString("en")} numbers, not ${length}`);
  budget.step(length);
  return Array.from({ length }, (_, index) => start + index * step);
}

function createCycler(items: readonly unknown[]): object {
  let index = -1;
  const cycler: { current: unknown; next: () => unknown; reset: () => void } = {
    current: null,
    next() {
      index = (index + 1) % Math.max(1, items.length);
      cycler.current = items[index];
      return cycler.current;
    },
    reset() {
      index = -1;
      cycler.current = null;
    },
  };
  return callables(cycler);
}

function createJoiner(separator: string): () => string {
  let isFirst = true;
  return callable(() => {
    const text = isFirst ? "" : separator;
    isFirst = false;
    return text;
  });
}
