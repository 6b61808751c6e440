import type { JsonObject } from "../../contracts/index.ts";
import type { TaskContext } from "../context/context.ts";
import type { XComArg } from "./xcom-arg.ts";

declare const rendersTo: unique symbol;

/** What `template()` returns. */
export class Template<T> {
  declare readonly [rendersTo]: T;
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  /** So a template may stand inside a longer one. */
  toString(): string {
    return this.source;
  }
}

/**
 * A template for a value that is not a string: `template<number>("{{ params.limit }}")`. A lone `{{ expression }}` gives the
 * expression's own value; any other text is parsed as JSON where it is JSON, and stays a string otherwise. `T` is the
 * author's word; nothing checks it at run time.
 */
export function template<T>(source: string): Template<T> {
  return new Template<T>(source);
}

/**
 * A value as it may be written in a DAG file where a task takes a `T`: the value itself (a string may hold a template), a
 * task's result, a `template<T>()`, or an object or array of such.
 */
export type Arg<T> = T | XComArg<T> | Template<T> | NestedArg<T>;

type NestedArg<T> = T extends (...args: never[]) => unknown
  ? never
  : T extends object
    ? JsonObject extends T
      ? { [key: string]: LooseArg }
      : { [K in keyof T]: Arg<T[K]> }
    : never;

/** Inside a value that may be any JSON; spelled out, since mapping over the recursive JSON type would never end. */
type LooseArg =
  | string
  | number
  | boolean
  | null
  | XComArg<unknown>
  | Template<unknown>
  | readonly LooseArg[]
  | { readonly [key: string]: LooseArg };

/** As `Arg`, for an operator's template fields, which may be a function of the context too. */
export type Templated<T> = Arg<T> | ((ctx: TaskContext) => T | Promise<T>);
