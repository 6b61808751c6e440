import type { TaskContext } from "./context.ts";
import { DagDefinitionError } from "./definition-error.ts";
import { type DurationInput, durationToSeconds } from "./duration.ts";
import { BaseOperator, type OperatorOptions } from "./operator.ts";

export type SensorOptions = {
  /** "poke" (default) keeps the worker's slot between looks, "reschedule" frees it. "deferrable" is refused for now. */
  mode?: "poke" | "reschedule" | "deferrable";
  /** Time between two looks. Default "1m". */
  pokeInterval?: DurationInput;
  /** Counted from the try's first start. Default "7d". A sensor that times out is not retried. */
  timeout?: DurationInput;
  /** Skip the task instead of failing it when it times out or throws a FailError. */
  softFail?: boolean;
  /** Double the interval with each look. */
  exponentialBackoff?: boolean;
  /** The longest interval under backoff. */
  maxWait?: DurationInput;
};

/** What `poke` answers: whether the wait is over, and if so, optionally, the task's result. */
export type PokeResult<R> = boolean | { done: boolean; value?: R };

export type SensorTiming = {
  mode: "poke" | "reschedule";
  pokeIntervalSec: number;
  timeoutSec: number;
  softFail: boolean;
  exponentialBackoff: boolean;
  maxWaitSec: number | null;
};

/**
 * The base of every sensor: a task that waits until `poke` says that it is over. `O`, `R` and `T` as for `BaseOperator`.
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
  override readonly kind = "sensor";
  override readonly sensorMode: "poke" | "reschedule";
  readonly timing: SensorTiming;

  constructor(options: OperatorOptions<O & SensorOptions, T>) {
    super(options);
    this.timing = resolveTiming(this.taskId, options as SensorOptions);
    this.sensorMode = this.timing.mode;
  }

  abstract poke(ctx: TaskContext): Promise<PokeResult<R>>;

  /** Not for sensors: the runner calls `poke` by the sensor's mode. */
  async execute(_ctx: TaskContext): Promise<R | undefined> {
    throw new Error(`sensor ${this.taskId}: execute() was called; a sensor is driven through poke()`);
  }
}

function resolveTiming(taskId: string, options: SensorOptions): SensorTiming {
  const mode = options.mode ?? "poke";
  if (mode === "deferrable") {
    throw new DagDefinitionError(
      "SENSOR_DEFERRABLE_UNSUPPORTED",
      `sensor "${taskId}": mode "deferrable" is not supported yet: use mode: "reschedule", which frees the worker's slot too`,
      { taskId },
    );
  }
  if (mode !== "poke" && mode !== "reschedule") {
    throw new DagDefinitionError(
      "TASK_INVALID_OPTION",
      `sensor "${taskId}": mode "${String(mode)}" is not one of poke, reschedule`,
    );
  }
  const seconds = (name: string, input: DurationInput) => durationToSeconds(`sensor "${taskId}": ${name}`, input);
  return {
    mode,
    pokeIntervalSec: seconds("pokeInterval", options.pokeInterval ?? "1m"),
    timeoutSec: seconds("timeout", options.timeout ?? "7d"),
    softFail: options.softFail ?? false,
    exponentialBackoff: options.exponentialBackoff ?? false,
    maxWaitSec: options.maxWait === undefined ? null : seconds("maxWait", options.maxWait),
  };
}
