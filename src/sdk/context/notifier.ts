import { checkOptionNames } from "../options/check-option-names.ts";
import { declaredOptions } from "../options/declared-options.ts";
import type { DagCallbackContext, TaskCallbackContext } from "./context.ts";

/** What a notifier is given: of a task's callback, or of a DAG's, which has no `ti`, `task`, `xcom` and `error`. */
export type NotifierContext = DagCallbackContext & Partial<Pick<TaskCallbackContext, "ti" | "task" | "xcom" | "error">>;

/**
 * A message to somebody, usable wherever a callback is. `O` = its options as `notify` sees them, rendered. One notifier may
 * serve many tasks and tries: keep nothing in it but options.
 *
 *     class Page extends BaseNotifier<{ text: string }> {
 *       static override readonly templateFields = ["text"];
 *       async notify(ctx: NotifierContext) { await page(this.options.text, { signal: ctx.signal }); }
 *     }
 *     task({ taskId: "load", onFailure: [new Page({ text: "{{ ti.task_id }} failed: {{ exception }}" }), (ctx) => undo(ctx)] }, …);
 *
 * What `notify` throws is written to the log and changes no outcome; callbacks after it run all the same.
 */
export abstract class BaseNotifier<O extends object = object> {
  /** Names of the options that are rendered before `notify`. */
  static readonly templateFields: readonly string[] = [];

  /** Names of the options beside those of `templateFields`, as of `BaseOperator`. */
  static readonly optionNames: readonly string[] | undefined = undefined;

  readonly name: string;
  readonly options: O;
  readonly templateFields: readonly string[];

  constructor(options: O) {
    this.name = new.target.name;
    checkOptionNames(this.name, options, declaredOptions(new.target));
    this.options = options;
    this.templateFields = new.target.templateFields;
  }

  abstract notify(ctx: NotifierContext): Promise<void>;

  withOptions(options: object): this {
    const copy: this = Object.create(Object.getPrototypeOf(this), Object.getOwnPropertyDescriptors(this));
    Object.defineProperty(copy, "options", { value: options, enumerable: true });
    return copy;
  }
}
