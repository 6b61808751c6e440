import type { JsonValue } from "../../contracts/index.ts";

/**
 * `T` without the types that JSON cannot represent: functions (and so instances of classes with methods, such as Date, Map and
 * Buffer), bigint, symbol.
 */
type Travels<T> = T extends JsonValue
  ? T
  : T extends bigint | symbol | ((...args: never[]) => unknown)
    ? never
    : T extends object
      ? { [K in keyof T]: Travels<T[K]> }
      : T;

/**
 * Intersected with a parameter's type, it makes the compiler reject a function whose result `R` cannot be passed to other tasks.
 * For other functions it changes nothing.
 */
export type MustTravel<R> = [R] extends [JsonValue | Travels<R>]
  ? unknown
  : "a task's result must be JSON: no Date, Map, Set, function, bigint or instance of a class; return text, numbers, lists or plain objects";
