import type { Budget } from "./budget.ts";
import { isEqual } from "./operators.ts";
import type { Scope } from "./scope.ts";
import { callable } from "./template-function.ts";
import { describe, toList } from "./template-values.ts";

/** Several names take a list of as many elements apart. */
export function setNames(scope: Scope, names: readonly string[], value: unknown, budget: Budget): void {
  const [only] = names;
  if (names.length === 1 && only !== undefined) {
    scope.set(only, value);
    return;
  }
  if (!Array.isArray(value) && typeof value !== "string")
    throw new Error(`${names.join(", ")} need a list of ${names.length} elements, not ${describe(value)}`);
  const parts = Array.isArray(value) ? value : toList(value, budget, names.join(", "));
  if (parts.length !== names.length)
    throw new Error(`${names.join(", ")} need ${names.length} elements, but there are ${parts.length}`);
  for (const [at, name] of names.entries()) scope.set(name, parts[at]);
}

/** The name `loop` of each pass. Its functions are those of the whole loop. */
export function createLoop(elements: readonly unknown[], budget: Budget) {
  const { length } = elements;
  let index = 0;
  let last: readonly unknown[] | undefined;
  const functions = {
    cycle: callable("*items", (items: readonly unknown[]) => {
      if (items.length === 0) throw new Error("loop.cycle() needs at least one item");
      return items[index % items.length];
    }),
    changed: callable("*values", (values: readonly unknown[]) => {
      const isChanged = last === undefined || !isEqual(values, last, budget);
      last = values;
      return isChanged;
    }),
  };
  return (at: number) => {
    index = at;
    return {
      index: at + 1,
      index0: at,
      revindex: length - at,
      revindex0: length - at - 1,
      first: at === 0,
      last: at === length - 1,
      length,
      depth: 1,
      depth0: 0,
      previtem: elements[at - 1],
      nextitem: elements[at + 1],
      ...functions,
    };
  };
}
