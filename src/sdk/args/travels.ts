import type { JsonValue } from "../../contracts/index.ts";

/** `T` without what JSON does not carry: functions, and so instances of classes that have methods (Date, Map, Buffer), bigint, symbol. */
type Travels<T> = T extends JsonValue
  ? T
  : T extends bigint | symbol | ((...args: never[]) => unknown)
    ? never
    : T extends object
      ? { [K in keyof T]: Travels<T[K]> }
      : T;

/**
 * Intersected with a parameter's type it refuses, before anything runs, a function whose result `R` cannot travel to other tasks;
 * else it changes nothing.
 */
export type MustTravel<R> = [R] extends [JsonValue | Travels<R>]
  ? unknown
  : "a task's result must be JSON: no Date, Map, Set, function, bigint or instance of a class; return text, numbers, lists or plain objects";
