import type { JsonObject } from "../../contracts/index.ts";
import type { TaskContext } from "../context/context.ts";
import type { XComArg } from "./xcom-arg.ts";

declare const rendersTo: unique symbol;

/** The return value of `template()`. */
export class Template<T> {
  declare readonly [rendersTo]: T;
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }

  /** The template's source, so that a template can be embedded in a longer one. */
  toString(): string {
    return this.source;
  }
}

/**
 * A template for a value that is not a string: `template<number>("{{ params.limit }}")`. A single `{{ expression }}` has the
 * expression's own value. Any other text is parsed as JSON if it is JSON, and is a string otherwise. `T` is declared by the
 * author and not checked at run time.
 */
export function template<T>(source: string): Template<T> {
  return new Template<T>(source);
}

/**
 * The forms in which a DAG file may give a task a value of type `T`: the value itself (a string may contain a template), a task's
 * result, a `template<T>()`, or an object or array of these.
 */
export type Arg<T> = T | XComArg<T> | Template<T> | NestedArg<T>;

type NestedArg<T> = T extends (...args: never[]) => unknown
  ? never
  : T extends object
    ? JsonObject extends T
      ? { [key: string]: LooseArg }
      : { [K in keyof T]: Arg<T[K]> }
    : never;

/**
 * The elements of a value that may be any JSON. Written out, since a mapped type over the recursive JSON type would never end.
 */
type LooseArg =
  | string
  | number
  | boolean
  | null
  | XComArg<unknown>
  | Template<unknown>
  | readonly LooseArg[]
  | { readonly [key: string]: LooseArg };

/** Like `Arg`, for an operator's template fields, which may also be a function of the context. */
export type Templated<T> = Arg<T> | ((ctx: TaskContext) => T | Promise<T>);
