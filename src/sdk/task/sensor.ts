import type { JsonValue } from "../../contracts/index.ts";
import type { TaskContext } from "../context/context.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { SENSOR_OPTION_NAMES, type SensorOptions } from "../options/sensor-options.ts";
import { checkFlag } from "../options/task-settings.ts";
import type { Trigger } from "../trigger/trigger.ts";
import { type DurationInput, durationToSeconds } from "../values/duration.ts";
import { BaseOperator, type OperatorOptions } from "./operator.ts";

/** The result of `poke`: whether the wait is over and, optionally, the task's result. */
export type PokeResult<R> = boolean | { done: boolean; value?: R | undefined };

export type SensorTiming = {
  mode: "poke" | "reschedule" | "deferrable";
  pokeIntervalSec: number;
  timeoutSec: number;
  softFail: boolean;
  exponentialBackoff: boolean;
  maxWaitSec: number | null;
};

/**
 * The base class of all sensors: a task that waits until `poke` reports that the wait is over. `O`, `R` and `T` as in `BaseOperator`.
 *
 *     class Arrived extends BaseSensor<{ path: string }, void, "path"> {
 *       static override readonly templateFields = ["path"];
 *       async poke(ctx: TaskContext) { return existsSync(this.options.path); }
 *     }
 */
export abstract class BaseSensor<O extends object = object, R = unknown, T extends keyof O = never> extends BaseOperator<
  O & SensorOptions,
  R | undefined,
  T
> {
  static override readonly optionNames: readonly string[] = SENSOR_OPTION_NAMES;
  override readonly kind = "sensor";
  override readonly sensorMode: "poke" | "reschedule" | "deferrable";
  readonly timing: SensorTiming;

  constructor(options: OperatorOptions<O & SensorOptions, T>) {
    super(options);
    this.timing = resolveTiming(this.taskId, options as SensorOptions);
    if (this.timing.mode === "deferrable" && this.createTrigger === undefined) {
      throw new DagDefinitionError(
        "SENSOR_NOT_DEFERRABLE",
        `sensor "${this.taskId}": ${this.operatorName} has no createTrigger(), so nothing could wait in its place. Give it one that returns a trigger, or use mode: "reschedule", which frees the worker's slot too`,
        { taskId: this.taskId },
      );
    }
    this.sensorMode = this.timing.mode;
  }

  abstract poke(ctx: TaskContext): Promise<PokeResult<R>>;

  /** For mode "deferrable": returns the trigger that waits in the sensor's place after a first poke. A method, not a field. */
  createTrigger?(ctx: TaskContext): Trigger<object> | Promise<Trigger<object>>;

  /** For mode "deferrable": interprets the trigger's event. By default the wait is over; not done = wait again. */
  async executeComplete(_ctx: TaskContext, _event: JsonValue): Promise<PokeResult<R>> {
    return true;
  }

  /** Not used for sensors: the runner calls `poke` according to the sensor's mode. */
  async execute(_ctx: TaskContext): Promise<R | undefined> {
    throw new Error(`sensor ${this.taskId}: execute() was called; a sensor is driven through poke()`);
  }
}

function resolveTiming(taskId: string, options: SensorOptions): SensorTiming {
  const mode = options.mode ?? "poke";
  if (mode !== "poke" && mode !== "reschedule" && mode !== "deferrable") {
    throw new DagDefinitionError(
      "TASK_INVALID_OPTION",
      `sensor "${taskId}": mode "${String(mode)}" is not one of poke, reschedule, deferrable`,
    );
  }
  const where = `sensor "${taskId}"`;
  const seconds = (name: string, input: DurationInput) => durationToSeconds(`${where}: ${name}`, input);
  return {
    mode,
    pokeIntervalSec: seconds("pokeInterval", options.pokeInterval ?? "1m"),
    timeoutSec: seconds("timeout", options.timeout ?? "7d"),
    softFail: checkFlag(where, "softFail", options.softFail) ?? false,
    exponentialBackoff: checkFlag(where, "exponentialBackoff", options.exponentialBackoff) ?? false,
    maxWaitSec: options.maxWait === undefined ? null : seconds("maxWait", options.maxWait),
  };
}
