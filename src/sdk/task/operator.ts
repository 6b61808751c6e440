import { Template, type Templated } from "../args/template.ts";
import { XComArg } from "../args/xcom-arg.ts";
import type { TaskContext } from "../context/context.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { checkFree, createDraft } from "../graph/dag-draft.ts";
import { innermostGroup, qualifyId, requireScope, runInDag, scopeDefaults } from "../graph/scope.ts";
import { TaskLink } from "../graph/task-link.ts";
import type { DagDraft, Endpoint, TaskMapping, TaskNode } from "../graph/types.ts";
import { MappedValue } from "../mapping/mapping.ts";
import type { PartialOperator } from "../mapping/mapping-types.ts";
import { createPartialOperator, type MappableNode } from "../mapping/partial-operator.ts";
import { placeOf } from "../options/check-option-names.ts";
import type { OptionClass } from "../options/declared-options.ts";
import { checkTaskOptionNames } from "../options/option-names.ts";
import { mergeOptions, type TaskOptions } from "../options/task-options.ts";
import { checkTeardownRule, resolveTaskSettings, type TaskSettings } from "../options/task-settings.ts";

/** The parameter of an operator's constructor: the common options and `O`, with templated values allowed for the fields `T`. */
export type OperatorOptions<O extends object, T extends keyof O = never> = TaskOptions &
  Omit<O, T> & { [K in keyof Pick<O, T>]: Templated<O[K]> };

/**
 * The base class of all operators. `O` = its own options as `execute` reads them, rendered; `R` = its result; `T` = the options of
 * `O` that may be given as a task's result, a `template()` or a function of the context. A string option is rendered if
 * `templateFields` contains it.
 *
 *     class Greet extends BaseOperator<{ name: string }, string, "name"> {
 *       static override readonly templateFields = ["name"];
 *       async execute(ctx: TaskContext) { return `hello ${this.options.name}`; }
 *     }
 *
 * Options are not rendered yet in the constructor; read them in `execute` only.
 */
export abstract class BaseOperator<O extends object = object, R = unknown, T extends keyof O = never>
  extends TaskLink
  implements TaskNode
{
  /** Names of the options that are rendered before `execute`. */
  static readonly templateFields: readonly string[] = [];

  /**
   * Names of the options that are not in `templateFields`; names that a base class declares need not be repeated. A class with
   * this list accepts no other options. Without it, only clear misspellings of a known name are refused.
   */
  static readonly optionNames: readonly string[] | undefined = undefined;

  readonly taskId: string;
  readonly taskGroupId: string | null;
  readonly operatorName: string;
  readonly kind: TaskNode["kind"] = "operator";
  readonly sensorMode: TaskNode["sensorMode"] = null;
  readonly doesNothing: boolean = false;
  readonly settings: TaskSettings;
  readonly options: O & TaskOptions;
  /** Set once by `expand()` and `expandKwargs()`, right after the operator is created. */
  mapping: TaskMapping | null = null;
  /** Like the static field of the same name, for a class that decides per instance. */
  readonly templateFields: readonly string[];
  override readonly endpoint: Endpoint & { kind: "task" };

  /** @throws DagDefinitionError if created outside of a DAG's body, or with an invalid id or option. */
  constructor(options: OperatorOptions<O, T>) {
    super();
    const name = new.target.name;
    const place = placeOf(name, name, options?.taskId);
    const scope = requireScope(place);
    checkTaskOptionNames(`${place} of DAG "${scope.draft.dagId}"`, options, new.target);
    this.taskId = qualifyId(scope, `${name}: taskId`, options.taskId);
    this.taskGroupId = innermostGroup(scope)?.groupId ?? null;
    this.operatorName = name;
    this.endpoint = { kind: "task", draft: scope.draft, id: this.taskId };
    const where = `task "${this.taskId}" of DAG "${scope.draft.dagId}"`;
    checkTeardownRule(where, options);
    this.settings = resolveTaskSettings(where, mergeOptions(scopeDefaults(scope), options), scope.draft.timezone);
    // Templated values are replaced by rendered ones (`withOptions`) before they are read as `O`.
    this.options = options as unknown as O & TaskOptions;
    this.templateFields = new.target.templateFields;
    register(scope.draft, this);
  }

  /** The task's work. The result becomes its XCom `return_value`; undefined creates no XCom. */
  abstract execute(ctx: TaskContext): Promise<R>;

  /** This task's result, to be passed to other tasks. */
  get output(): XComArg<R> {
    return new XComArg<R>(this.endpoint);
  }

  withOptions(options: object): this {
    const copy: this = Object.create(Object.getPrototypeOf(this), Object.getOwnPropertyDescriptors(this));
    Object.defineProperty(copy, "options", { value: options, enumerable: true });
    return copy;
  }

  forElement(options: object): this {
    const draft = createDraft(this.endpoint.draft.dagId, this.endpoint.draft.timezone, {});
    const create = this.constructor as new (options: object) => this;
    return runInDag(draft, () => new create({ ...options, taskId: this.taskId })) as this;
  }

  /**
   * This operator with options that all instances share, to be mapped over others:
   *
   *     BashOperator.partial({ taskId: "count", cwd: "/data" }).expand({ bashCommand: ["wc -l a.csv", "wc -l b.csv"] });
   */
  static partial<C extends object, I extends { readonly output: XComArg<unknown> }, P extends Partial<C> & { taskId: string }>(
    this: new (
      options: C,
    ) => I,
    options: P & { [N in Exclude<keyof P, keyof C>]: never },
  ): PartialOperator<C, keyof P, I extends { readonly output: XComArg<infer V> } ? V : never> {
    // biome-ignore lint/complexity/noThisInStatic: creates an instance of the subclass on which it is called
    const operator = this as unknown as OptionClass & (new (options: object) => MappableNode);
    const check = (given: object) =>
      checkTaskOptionNames(placeOf(operator.name, operator.name, options?.taskId), given, operator);
    check(options);
    const partial: unknown = createPartialOperator(operator, options, check, BaseOperator.partial);
    return partial as PartialOperator<C, keyof P, I extends { readonly output: XComArg<infer V> } ? V : never>;
  }
}

function register(draft: DagDraft, node: TaskNode): void {
  checkFree(draft, node.taskId);
  draft.nodes.set(node.taskId, node);
}

/**
 * Refuses a task's result or a `template()` in an option that is not rendered: the operator would receive it as an object. Called
 * at the end of the DAG's body, since subclasses may set `templateFields` after the base constructor.
 * @throws DagDefinitionError FIELD_NOT_TEMPLATED
 */
export function checkUntemplatedFields(node: TaskNode): void {
  for (const [field, value] of Object.entries(node.options)) {
    if (node.templateFields.includes(field)) continue;
    if ((!(value instanceof XComArg) && !(value instanceof Template)) || value instanceof MappedValue) continue;
    const kind = value instanceof XComArg ? `the result of task "${value.taskId}"` : "a template()";
    const fields = node.templateFields.length > 0 ? node.templateFields.join(", ") : "none";
    throw new DagDefinitionError(
      "FIELD_NOT_TEMPLATED",
      `task "${node.taskId}": ${field} is ${kind}, but ${node.operatorName} does not render that option (it renders: ${fields})`,
      { taskId: node.taskId, field },
    );
  }
}
