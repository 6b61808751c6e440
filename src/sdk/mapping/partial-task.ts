import { isPlainObject } from "../args/walk-value.ts";
import type { XComArg } from "../args/xcom-arg.ts";
import { DagDefinitionError } from "../definition-error.ts";
import type { DagDraft, MapInput, TaskMapping } from "../graph/types.ts";
import { MappedValue } from "./mapping.ts";
import { checkNames, named } from "./partial-operator.ts";

/** Adds the mapped task. `args` creates the placeholders for its arguments. */
export type AddMapped = (mapping: TaskMapping, args: (draft: DagDraft, taskId: string) => unknown[]) => XComArg<unknown>;

/**
 * Untyped implementation of `expand` and `expandKwargs` of a task function. Lists are arguments by position; a single object of
 * lists is arguments by name. The two cannot be confused: a list for a position is never a plain object.
 */
export function createPartialTask(fixed: readonly unknown[], add: AddMapped) {
  return {
    expand(...given: unknown[]) {
      const [only] = given;
      if (given.length === 1 && isPlainObject(only)) return expandByName(fixed, only as Record<string, MapInput>, add);
      const inputs = given.map((value, at) => ({ name: `argument ${fixed.length + at + 1}`, value: value as MapInput }));
      const bind = (options: object, values: readonly unknown[]) => ({ ...options, args: [...fixed, ...values] });
      return add({ kind: "expand", inputs, bind }, (draft, taskId) => [
        ...fixed,
        ...inputs.map(({ value }) => new MappedValue(draft, taskId, value)),
      ]);
    },
    expandKwargs(list: MapInput) {
      const shared = sharedArgs(fixed);
      if (Array.isArray(list)) for (const one of list) checkNames("expandKwargs()", shared, one, false);
      const bind = (options: object, [given]: readonly unknown[]) => {
        checkNames("expandKwargs()", shared, given, false);
        return { ...options, args: [{ ...shared, ...(given as object) }] };
      };
      return add({ kind: "expandKwargs", inputs: [{ name: "arguments", value: list }], bind }, (draft, taskId) => [
        fixed.length === 0 ? new MappedValue(draft, taskId, list) : shared,
      ]);
    },
  };
}

function expandByName(fixed: readonly unknown[], values: Record<string, MapInput>, add: AddMapped) {
  const shared = sharedArgs(fixed);
  checkNames("expand()", shared, values, false);
  const inputs = Object.entries(values).map(([name, value]) => ({ name, value }));
  const bind = (options: object, bound: readonly unknown[]) => ({ ...options, args: [{ ...shared, ...named(inputs, bound) }] });
  return add({ kind: "expand", inputs, bind }, (draft, taskId) => {
    const shown = inputs.map(({ value }) => new MappedValue(draft, taskId, value));
    return [{ ...shared, ...named(inputs, shown) }];
  });
}

function sharedArgs(fixed: readonly unknown[]): object {
  const [shared = {}] = fixed;
  if (fixed.length <= 1 && isPlainObject(shared)) return shared;
  throw new DagDefinitionError(
    "MAPPING_INVALID",
    "arguments by name go with partial({ name: value }), not with arguments by position",
  );
}
