import { isPlainObject } from "../args/walk-value.ts";
import { XComArg } from "../args/xcom-arg.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { Linkable } from "../graph/linkable.ts";
import { addLooseEnd } from "../graph/loose-ends.ts";
import { requireScope } from "../graph/scope.ts";
import type { Endpoint, MapInput, TaskMapping, TaskNode } from "../graph/types.ts";
import { TASK_OPTION_NAMES } from "../options/task-options.ts";
import { checkMapping, MappedValue } from "./mapping.ts";

/** The parts of an operator that mapping needs: created from options, with a field for its mapping. */
export type MappableNode = TaskNode & { mapping: TaskMapping | null; readonly endpoint: Endpoint & { kind: "task" } };

/** A mapped operator: linked like a single task; its `output` is the list of its instances' results. */
export class MappedOperator<R> extends Linkable {
  override readonly endpoint: Endpoint & { kind: "task" };
  readonly output: XComArg<R[]>;

  constructor(endpoint: Endpoint & { kind: "task" }) {
    super();
    this.endpoint = endpoint;
    this.output = new XComArg(endpoint);
  }

  get taskId(): string {
    return this.endpoint.id;
  }
}

/** Untyped implementation of `BaseOperator.partial`; `checkOptions` refuses names that the operator does not have. */
export function createPartialOperator(
  create: new (options: object) => MappableNode,
  fixed: { taskId: string },
  checkOptions: (given: object) => void,
  maker: (...args: never[]) => unknown,
) {
  const where = `task "${fixed.taskId}"`;
  const add = (options: object, mapping: TaskMapping) => {
    looseEnd.madeAt = null;
    const { openGroups } = requireScope(where);
    checkMapping(where, mapping, openGroups);
    const node = new create({ ...fixed, ...options });
    node.mapping = mapping;
    return new MappedOperator<unknown>(node.endpoint);
  };
  const partial = {
    expand(values: Record<string, MapInput>) {
      const { draft } = requireScope(where);
      const inputs = Object.entries(values).map(([name, value]) => ({ name, value }));
      checkNames(where, fixed, values);
      checkOptions(values);
      const bind = (options: object, bound: readonly unknown[]) => ({ ...options, ...named(inputs, bound) });
      const shown = inputs.map(({ name, value }) => [name, new MappedValue(draft, fixed.taskId, value)]);
      return add(Object.fromEntries(shown), { kind: "expand", inputs, bind });
    },
    expandKwargs(list: MapInput) {
      if (Array.isArray(list)) {
        for (const one of list) {
          checkNames(where, fixed, one);
          checkOptions(one);
        }
      }
      const inputs = [{ name: "options", value: list }];
      const bind = (options: object, [given]: readonly unknown[]) => {
        checkNames(where, fixed, given);
        return { ...options, ...(given as object) };
      };
      return add({}, { kind: "expandKwargs", inputs, bind });
    },
  };
  const message = `partial() of ${where} is never expanded, so it is in no DAG: call expand() or expandKwargs()`;
  const looseEnd = addLooseEnd(partial, message, maker);
  return partial;
}

/** Values keyed by the names of their inputs. */
export function named(inputs: TaskMapping["inputs"], values: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(inputs.map(({ name }, at) => [name, values[at]]));
}

/** @throws DagDefinitionError MAPPING_INVALID for an option that is already given or applies to all instances. */
export function checkNames(where: string, fixed: object, given: unknown, isOfTask = true): void {
  if (!isPlainObject(given)) {
    throw new DagDefinitionError("MAPPING_INVALID", `${where}: an element of expandKwargs() must be an object`);
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(fixed, name)) {
      throw new DagDefinitionError("MAPPING_INVALID", `${where}: ${name} is given by partial() and mapped, too: leave one out`);
    }
    if (isOfTask && TASK_OPTION_NAMES.includes(name)) {
      throw new DagDefinitionError(
        "MAPPING_INVALID",
        `${where}: ${name} applies to all instances and cannot be mapped: give it to partial()`,
      );
    }
  }
}
