import type { Connection, JsonObject, JsonValue, TriggerTask } from "../../contracts/index.ts";
import type { DagsAccess, TaskLogger, VariableOptions } from "../context/context.ts";
import { DagDefinitionError } from "../definition-error.ts";
import type { DurationInput } from "../values/duration.ts";
import { findJsonFault } from "../values/json-fault.ts";

/** A trigger's class and options. `K` = the options, which are passed to the triggerer as JSON and encrypted at rest. */
export abstract class Trigger<K extends object = JsonObject> {
  readonly options: K;

  /** @throws DagDefinitionError TRIGGER_OPTIONS_NOT_JSON */
  constructor(options: K) {
    const fault = findJsonFault(options);
    if (fault !== undefined) {
      throw new DagDefinitionError(
        "TRIGGER_OPTIONS_NOT_JSON",
        `trigger ${new.target.name}: its options${fault.path} are ${fault.fault}. They are passed to the triggerer as JSON`,
      );
    }
    this.options = options;
  }
}

/** The context of a trigger's `run`. It runs in the triggerer's process for user code, together with many others. */
export type TriggerContext = {
  readonly task: TriggerTask;
  /** Writes to the log of the task's try. */
  readonly logger: TaskLogger;
  /** Aborts when the task no longer waits, or another triggerer takes over. */
  readonly signal: AbortSignal;
  now(): Date;
  /** Rejects as soon as `signal` aborts. */
  sleep(duration: DurationInput): Promise<void>;
  /** @throws if there is no connection with that id. */
  connection(connId: string): Promise<Connection>;
  variable(key: string): Promise<string>;
  variable<T = JsonValue>(key: string, options: VariableOptions<T> & { json: true }): Promise<T>;
  variable<D>(key: string, options: VariableOptions<D>): Promise<string | D>;
  readonly dags: Pick<DagsAccess, "taskStates">;
  /** Hides a secret that the trigger has from elsewhere in its log from then on: all texts and numbers in `value`. */
  maskSecret(value: JsonValue): Promise<void>;
};

/** The event of a trigger: the task continues with `payload`. */
export class TriggerEvent {
  readonly payload: JsonValue;

  constructor(payload: JsonValue = null) {
    this.payload = payload;
  }
}

/** Ends the task as successful without running it again on a worker. */
export class TaskSuccessEvent extends TriggerEvent {
  readonly xcoms: Readonly<Record<string, JsonValue>>;

  /** `result` becomes the XCom `return_value`. */
  constructor(result?: JsonValue, xcoms: Readonly<Record<string, JsonValue>> = {}) {
    super();
    this.xcoms = result === undefined ? xcoms : { ...xcoms, return_value: result };
  }
}

/** Fails the task without a retry and without running it again on a worker. */
export class TaskFailedEvent extends TriggerEvent {
  readonly reason: string;

  constructor(reason = "the trigger failed the task") {
    super();
    this.reason = reason;
  }
}

/** Skips the task without running it again on a worker. */
export class TaskSkippedEvent extends TriggerEvent {
  readonly reason: string;

  constructor(reason = "the trigger skipped the task") {
    super();
    this.reason = reason;
  }
}

/**
 * The base class of your own triggers. It runs in the triggerer, with many others in one event loop: it must never block it. Only
 * the first event counts. A trigger may be restarted at any time, here or in another triggerer; so it must only wait, not act.
 *
 *     class RowTrigger extends BaseTrigger<{ table: string }> {
 *       async *run(ctx: TriggerContext) {
 *         while (!(await hasRows(this.options.table))) await ctx.sleep("5s");
 *         yield new TriggerEvent({ table: this.options.table });
 *       }
 *     }
 *     registerTrigger("RowTrigger", RowTrigger);
 */
export abstract class BaseTrigger<K extends object = JsonObject> extends Trigger<K> {
  abstract run(ctx: TriggerContext): AsyncIterable<TriggerEvent> | Promise<TriggerEvent>;

  /** Called once after `run` has ended for any reason; has 5 s. */
  async cleanup(): Promise<void> {}
}

// biome-ignore lint/suspicious/noExplicitAny: a class with any options can be registered; each defers with its own
export type TriggerClass = new (options: any) => BaseTrigger<any>;
