import type { Connection, JsonObject, JsonValue, TriggerTask } from "../../contracts/index.ts";
import type { DagsAccess, TaskLogger, VariableOptions } from "../context/context.ts";
import { DagDefinitionError } from "../definition-error.ts";
import type { DurationInput } from "../values/duration.ts";
import { findJsonFault } from "../values/json-fault.ts";

/** What a trigger waits with. `K` = its options, which travel as JSON and are encrypted at rest. */
export abstract class Trigger<K extends object = JsonObject> {
  readonly options: K;

  /** @throws DagDefinitionError TRIGGER_OPTIONS_NOT_JSON */
  constructor(options: K) {
    const fault = findJsonFault(options);
    if (fault !== undefined) {
      throw new DagDefinitionError(
        "TRIGGER_OPTIONS_NOT_JSON",
        `trigger ${new.target.name}: its options${fault.path} are ${fault.fault}. They travel to the triggerer as JSON`,
      );
    }
    this.options = options;
  }
}

/** What `run` of a trigger is given. It runs in the triggerer's process for user code, beside many others. */
export type TriggerContext = {
  readonly task: TriggerTask;
  /** Writes to the log of the task's try. */
  readonly logger: TaskLogger;
  /** Aborts when nobody waits any more, or another triggerer takes over. */
  readonly signal: AbortSignal;
  now(): Date;
  /** Waits; rejects as soon as `signal` aborts. */
  sleep(duration: DurationInput): Promise<void>;
  /** @throws when there is no connection of that id. */
  connection(connId: string): Promise<Connection>;
  variable(key: string): Promise<string>;
  variable<T = JsonValue>(key: string, options: VariableOptions<T> & { json: true }): Promise<T>;
  variable<D>(key: string, options: VariableOptions<D>): Promise<string | D>;
  readonly dags: Pick<DagsAccess, "taskStates">;
};

/** What a trigger has to tell: the task goes on with `payload`. */
export class TriggerEvent {
  readonly payload: JsonValue;

  constructor(payload: JsonValue = null) {
    this.payload = payload;
  }
}

/** Ends the task as it is, without another turn on a worker. */
export class TaskSuccessEvent extends TriggerEvent {
  readonly xcoms: Readonly<Record<string, JsonValue>>;

  /** `result` becomes the XCom `return_value`. */
  constructor(result?: JsonValue, xcoms: Readonly<Record<string, JsonValue>> = {}) {
    super();
    this.xcoms = result === undefined ? xcoms : { ...xcoms, return_value: result };
  }
}

/** Fails the task as it is, without a retry and without another turn on a worker. */
export class TaskFailedEvent extends TriggerEvent {
  readonly reason: string;

  constructor(reason = "the trigger failed the task") {
    super();
    this.reason = reason;
  }
}

/** Skips the task as it is, without another turn on a worker. */
export class TaskSkippedEvent extends TriggerEvent {
  readonly reason: string;

  constructor(reason = "the trigger skipped the task") {
    super();
    this.reason = reason;
  }
}

/**
 * The base of a trigger of your own. It runs in the triggerer, with many others in one event loop: it must never block it.
 * The first event counts. A trigger may be started anew, here or elsewhere, at any moment; so it must not act, only wait.
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

  /** Called once when `run` has ended, however it did; has 5 s. */
  async cleanup(): Promise<void> {}
}

// biome-ignore lint/suspicious/noExplicitAny: a class of any options can be registered; each defers with its own
export type TriggerClass = new (options: any) => BaseTrigger<any>;
