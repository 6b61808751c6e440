import type { JsonObject } from "../../contracts/index.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import type { DurationInput } from "../values/duration.ts";
import type { Trigger } from "./trigger.ts";

export type DeferOptions = {
  /** What waits in the task's place: a built-in trigger, or a registered one of the DAG file. */
  trigger: Trigger<object>;
  /**
   * The operator's method that goes on: `method(ctx, event, kwargs)`. Default "executeComplete". A function task has none: the
   * function is called again, with `ctx.resumed` set.
   */
  method?: string;
  /** JSON that the task wants back when it goes on; encrypted at rest. */
  kwargs?: JsonObject;
  /** Longest wait. Then the try fails, and is retried while retries are left. */
  timeout?: DurationInput;
};

/** How a task says that it waits; the runner takes it for no failure. Let it pass where you catch errors. */
export class TaskDeferred extends Error {
  readonly options: DeferOptions;

  constructor(options: DeferOptions) {
    super("the task is deferred");
    this.name = "TaskDeferred";
    this.options = options;
  }
}

/**
 * Gives the worker back and waits for a trigger; nothing after it is run. When the trigger fires, the try goes on, on any
 * worker, with a fresh process: what shall be kept goes into `kwargs` or an XCom.
 *
 *     async execute(ctx: TaskContext): Promise<string> {
 *       const id = await start(this.options.job);
 *       return defer({ trigger: new JobTrigger({ id }), kwargs: { id }, timeout: "2h" });
 *     }
 *     async executeComplete(ctx: TaskContext, event: JsonValue, kwargs: JsonObject) { return String(kwargs.id); }
 */
export function defer(options: DeferOptions): never {
  checkOptionNames("defer()", options, { names: ["trigger", "method", "kwargs", "timeout"] });
  throw new TaskDeferred(options);
}
