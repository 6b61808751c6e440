import type { JsonObject } from "../../contracts/index.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import type { DurationInput } from "../values/duration.ts";
import type { Trigger } from "./trigger.ts";

export type DeferOptions = {
  /** The trigger that waits in the task's place: a built-in trigger, or one that the DAG file registers. */
  trigger: Trigger<object>;
  /**
   * The operator's method that is called after the wait: `method(ctx, event, kwargs)`. Default "executeComplete". A function task
   * has none: its function is called again, with `ctx.resumed` set.
   */
  method?: string;
  /** JSON that is passed to the task when it continues; encrypted at rest. */
  kwargs?: JsonObject;
  /** Maximum waiting time. After it the try fails, and is retried if retries are left. */
  timeout?: DurationInput;
};

/** Thrown by a task to defer itself; the runner does not treat it as a failure. Rethrow it if you catch errors. */
export class TaskDeferred extends Error {
  readonly options: DeferOptions;

  constructor(options: DeferOptions) {
    super("the task is deferred");
    this.name = "TaskDeferred";
    this.options = options;
  }
}

/**
 * Frees the worker slot and waits for a trigger; code after it does not run. When the trigger fires, the try continues on any
 * worker, in a new process: pass values that it still needs in `kwargs` or an XCom.
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
