import type { DurationInput } from "../values/duration.ts";

export type SensorOptions = {
  /**
   * "poke" (default) keeps the worker's slot between looks, "reschedule" frees it, "deferrable" leaves the looking to the
   * triggerer; the sensor must have a `createTrigger` for it.
   */
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

const NAMES: Record<keyof SensorOptions, true> = {
  mode: true,
  pokeInterval: true,
  timeout: true,
  softFail: true,
  exponentialBackoff: true,
  maxWait: true,
};
export const SENSOR_OPTION_NAMES: readonly string[] = Object.keys(NAMES);
