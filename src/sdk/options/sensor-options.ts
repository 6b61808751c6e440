import type { DurationInput } from "../values/duration.ts";

export type SensorOptions = {
  /**
   * "poke" (default) keeps the worker slot between pokes, "reschedule" frees it. "deferrable" leaves the waiting to the
   * triggerer; the sensor must have a `createTrigger`.
   */
  mode?: "poke" | "reschedule" | "deferrable";
  /** Time between two pokes. Default "1m". */
  pokeInterval?: DurationInput;
  /** Measured from the first start of the try. Default "7d". A sensor that times out is not retried. */
  timeout?: DurationInput;
  /** Skip the task instead of failing it if it times out or throws a FailError. */
  softFail?: boolean;
  /** Double the interval after each poke. */
  exponentialBackoff?: boolean;
  /** Maximum interval with exponential backoff. */
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
