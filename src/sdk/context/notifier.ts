import { checkOptionNames } from "../options/check-option-names.ts";
import { declaredOptions } from "../options/declared-options.ts";
import type { DagCallbackContext, TaskCallbackContext } from "./context.ts";

/** The context of a notifier. In a DAG's callback it has no `ti`, `task`, `xcom` and `error`. */
export type NotifierContext = DagCallbackContext & Partial<Pick<TaskCallbackContext, "ti" | "task" | "xcom" | "error">>;

/**
 * Sends a message; usable as a callback. `O` = its options as `notify` reads them, rendered. One notifier may serve many tasks and
 * tries: store only options in it.
 *
 *     class Page extends BaseNotifier<{ text: string }> {
 *       static override readonly templateFields = ["text"];
 *       async notify(ctx: NotifierContext) { await page(this.options.text, { signal: ctx.signal }); }
 *     }
 *     task({ taskId: "load", onFailure: [new Page({ text: "{{ ti.task_id }} failed: {{ exception }}" }), (ctx) => undo(ctx)] }, …);
 *
 * An error that `notify` throws is logged and changes no outcome; later callbacks still run.
 */
export abstract class BaseNotifier<O extends object = object> {
  /** Names of the options that are rendered before `notify`. */
  static readonly templateFields: readonly string[] = [];

  /** Names of the options that are not in `templateFields`, as in `BaseOperator`. */
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
