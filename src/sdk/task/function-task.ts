import type { JsonObject } from "../../contracts/index.ts";
import type { Arg } from "../args/template.ts";
import type { MustTravel } from "../args/travels.ts";
import { replacePlaceholders } from "../args/walk-value.ts";
import type { XComArg } from "../args/xcom-arg.ts";
import type { TaskContext } from "../context/context.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { addLooseEnd } from "../graph/loose-ends.ts";
import { innermostGroup, requireScope } from "../graph/scope.ts";
import type { LooseEnd, TaskMapping } from "../graph/types.ts";
import { checkMapping } from "../mapping/mapping.ts";
import type { ExpandArgs, KwargsList, NamedArgs, PartialOf } from "../mapping/mapping-types.ts";
import { type AddMapped, createPartialTask } from "../mapping/partial-task.ts";
import { placeOf } from "../options/check-option-names.ts";
import type { OptionClass } from "../options/declared-options.ts";
import { checkFactoryOptionNames } from "../options/option-names.ts";
import type { SensorOptions } from "../options/sensor-options.ts";
import { mergeOptions, type TaskOptions } from "../options/task-options.ts";
import { findJsonFault } from "../values/json-fault.ts";
import { BaseOperator } from "./operator.ts";
import { BaseSensor, type PokeResult } from "./sensor.ts";

/** A function's arguments after `ctx`, in the forms that a DAG's body may use. */
export type TaskArgs<A extends readonly unknown[]> = { [K in keyof A]: Arg<A[K]> };

/** The arguments after `ctx` of the function `F`. */
export type ArgsOf<F> = F extends (ctx: never, ...args: infer A) => unknown ? A : never;

/**
 * A function `F` that an author passes: it is called with the context of params `V` and returns `R`. Its arguments are those of
 * `F`. Here they are `never`, because TypeScript then takes the type of an argument without annotation from its default.
 */
export type AuthorFunction<F, V extends object, R> = F & ((ctx: TaskContext<V>, ...args: never[]) => R | Promise<R>);

/** A task function: each call in a DAG's body adds a task. Repeated calls add `<taskId>__1`, `__2` and so on. */
export type TaskFactory<A extends readonly unknown[], R, O extends object = TaskOptions> = {
  (...args: TaskArgs<A>): XComArg<R>;
  /**
   * Maps the task: one instance for each element of a list, or of the cross product of several lists. The parameters are one list
   * for each argument, `add.expand([1, 2], numbers)`, or an object of lists if the function takes its arguments by name.
   */
  expand(...inputs: ExpandArgs<A>): XComArg<R[]>;
  /**
   * Maps the task over a list of objects, each with the arguments of one instance; for a function that takes its arguments by
   * name.
   */
  expandKwargs(list: [NamedArgs<A>] extends [never] ? never : KwargsList<NamedArgs<A>>): XComArg<R[]>;
  /** Fixes arguments for all instances: the first ones, or some by name. */
  partial: PartialOf<A, R>;
  /** The same function with other options, e.g. `extract.override({ taskId: "extract_de" })("de")`. */
  override(options: Partial<O>): TaskFactory<A, R, O>;
  readonly taskId: string;
};

export type FunctionOptions<A extends readonly unknown[], F> = { fn: (ctx: TaskContext, ...args: A) => F; args: A };

/** A task that runs a function of the DAG file. Its arguments are its only template field. */
export class FunctionOperator<A extends readonly unknown[], R> extends BaseOperator<
  FunctionOptions<A, R | Promise<R>>,
  R,
  "args"
> {
  static override readonly templateFields: readonly string[] = ["args"];
  static override readonly optionNames: readonly string[] = ["fn"];
  override readonly kind = "function";
  override readonly operatorName: string = "task";

  async execute(ctx: TaskContext): Promise<R> {
    return this.options.fn(ctx, ...this.options.args);
  }
}

export class FunctionSensor<A extends readonly unknown[], R> extends BaseSensor<
  FunctionOptions<A, PokeResult<R> | Promise<PokeResult<R>>>,
  R,
  "args"
> {
  static override readonly templateFields: readonly string[] = ["args"];
  static override readonly optionNames: readonly string[] = ["fn"];
  override readonly operatorName: string = "sensor";

  async poke(ctx: TaskContext): Promise<PokeResult<R>> {
    return this.options.fn(ctx, ...this.options.args);
  }
}

/**
 * Returns a typed factory of tasks from a function. `ctx` comes first, then the arguments, which must be JSON or results of other
 * tasks. Its result becomes the task's XCom. Declare the types of arguments that have no default.
 *
 *     const extract = task({ taskId: "extract", retries: 2 }, async (ctx, path: string) => readRows(path));
 *     extract("{{ params.input }}");
 */
export function task<F extends object, R, V extends object = JsonObject>(
  options: TaskOptions,
  fn: AuthorFunction<F, V, R> & MustTravel<R>,
): TaskFactory<ArgsOf<F>, R> {
  return createFactory("task", options, fn, FunctionOperator, task);
}

/** Like `task`, for a function that is called repeatedly until it returns true or `{ done: true, value }`. */
export function sensor<F extends object, R = undefined, V extends object = JsonObject>(
  options: TaskOptions & SensorOptions,
  fn: AuthorFunction<F, V, PokeResult<R>> & MustTravel<R>,
): TaskFactory<ArgsOf<F>, R, TaskOptions & SensorOptions> {
  return createFactory("sensor", options, fn, FunctionSensor, sensor);
}

/** `task` and `sensor` for one DAG. `V` is the type of its params, so that `ctx.params` of a function without annotations has exactly these. */
export type TypedFactories<V extends object> = {
  task<F extends object, R>(options: TaskOptions, fn: AuthorFunction<F, V, R> & MustTravel<R>): TaskFactory<ArgsOf<F>, R>;
  sensor<F extends object, R = undefined>(
    options: TaskOptions & SensorOptions,
    fn: AuthorFunction<F, V, PokeResult<R>> & MustTravel<R>,
  ): TaskFactory<ArgsOf<F>, R, TaskOptions & SensorOptions>;
};

/** A class of operators that run a function. */
type FunctionClass = OptionClass & { new (options: never): { readonly output: XComArg<unknown>; mapping: TaskMapping | null } };

/**
 * Shared implementation of `task`, `sensor`, `branch` and `shortCircuit`: `createOperator` creates an operator from options, fn
 * and args. `maker`: the function that the author called.
 */
export function createFactory<A extends readonly unknown[], R, O extends TaskOptions>(
  name: string,
  options: O,
  fn: unknown,
  operator: FunctionClass,
  maker: (...args: never[]) => unknown,
): TaskFactory<A, R, O> {
  const where = placeOf(`${name}()`, "task", options?.taskId);
  checkFactoryOptionNames(where, options, operator);
  if (typeof fn !== "function") {
    throw new DagDefinitionError("TASK_INVALID_OPTION", `${where}: its second argument must be a function`);
  }
  const create = (args: readonly unknown[], taskId: string) => new operator({ ...options, taskId, fn, args } as never);
  const addTask = (...args: TaskArgs<A>): XComArg<R> => {
    looseEnd.madeAt = null;
    checkArgs(options.taskId, args);
    return create(args, freeTaskId(options.taskId)).output as XComArg<R>;
  };
  const looseEnd = addLooseEnd(addTask, `${where} is never called, so it is in no DAG: call what ${name}() returned`, maker);
  const addMapped =
    (fixed: readonly unknown[], end: LooseEnd): AddMapped =>
    (mapping, args) => {
      end.madeAt = null;
      checkArgs(options.taskId, fixed);
      checkMapping(where, mapping, requireScope(where).openGroups);
      const taskId = freeTaskId(options.taskId);
      const node = create(args(requireScope(where).draft, taskId), taskId);
      node.mapping = mapping;
      return node.output;
    };
  const partial = ((...fixed: unknown[]) => {
    looseEnd.madeAt = null;
    const message = `partial() of ${where} is never expanded, so it is in no DAG: call expand() or expandKwargs()`;
    const made = createPartialTask(fixed, (...given) => addMapped(fixed, end)(...given));
    const end = addLooseEnd(made, message, partial);
    return made;
  }) as unknown as TaskFactory<A, R, O>["partial"];
  const override = (changes: Partial<O>) => {
    looseEnd.madeAt = null;
    return createFactory<A, R, O>(name, mergeOptions<O>(options, changes as O), fn, operator, override);
  };
  return Object.assign(addTask, {
    ...(createPartialTask([], addMapped([], looseEnd)) as unknown as Pick<TaskFactory<A, R, O>, "expand" | "expandKwargs">),
    partial,
    override,
    taskId: options.taskId,
    // Otherwise the function's source would become part of the text.
    toString: () => {
      throw new DagDefinitionError("RESULT_AS_TEXT", `${where} is used as text: call it, and pass its result as an argument`);
    },
  });
}

function checkArgs(taskId: string, args: readonly unknown[]): void {
  const literals = replacePlaceholders(args, () => null) as unknown[];
  literals.forEach((literal, index) => {
    const fault = literal === undefined ? undefined : findJsonFault(literal);
    if (fault === undefined) return;
    throw new DagDefinitionError(
      "TASK_ARGUMENT_NOT_JSON",
      `task "${taskId}": argument ${index + 1}${fault.path === "" ? "" : ` at ${fault.path}`} is ${fault.fault}. Arguments must be JSON or results of other tasks; make anything else inside the task`,
      { taskId, index },
    );
  });
}

function freeTaskId(taskId: string): string {
  const scope = requireScope(`task "${taskId}"`);
  const prefix = innermostGroup(scope)?.prefix ?? "";
  const { nodes, groups } = scope.draft;
  const taken = (id: string) => nodes.has(prefix + id) || groups.has(prefix + id);
  if (!taken(taskId) || groups.has(prefix + taskId)) return taskId;
  let copy = 1;
  while (taken(`${taskId}__${copy}`)) copy += 1;
  return `${taskId}__${copy}`;
}
