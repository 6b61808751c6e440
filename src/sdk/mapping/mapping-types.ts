import type { Arg } from "../args/template.ts";
import type { XComArg } from "../args/xcom-arg.ts";
import type { TaskOptions } from "../options/task-options.ts";
import type { MappedOperator } from "./partial-operator.ts";

/** The result of an upstream task whose elements are of type `T`. Elements that are pairs may also come from an object. */
type ResultOf<T> = XComArg<readonly T[]> | (T extends readonly [string, infer V] ? XComArg<Readonly<Record<string, V>>> : never);

/** The types over which an argument of type `T` may be mapped. */
export type MapArg<T> = readonly Arg<T>[] | ResultOf<T>;

/** Like `MapArg`, for an argument by name, which may also be an object whose pairs of key and value are the elements. */
export type NamedMapArg<T> = MapArg<T> | (T extends readonly [string, infer V] ? Readonly<Record<string, Arg<V>>> : never);

type IsOne<A extends readonly unknown[]> = A["length"] extends 1 ? true : false;
/** The single object argument of a function that takes its arguments by name: `(ctx, { path, limit })`. */
export type NamedArgs<A extends readonly unknown[]> =
  IsOne<A> extends true ? (A[0] extends readonly unknown[] ? never : A[0] extends object ? A[0] : never) : never;

export type ExpandByName<O> = { readonly [K in keyof O]: NamedMapArg<Exclude<O[K], undefined>> };
type ExpandByPosition<A extends readonly unknown[]> = { [K in keyof A]: MapArg<A[K]> };

/**
 * The parameters of a task function's `expand()`: a list for each argument, or one object with a list for each named argument.
 */
export type ExpandArgs<A extends readonly unknown[]> =
  | ExpandByPosition<A>
  | ([NamedArgs<A>] extends [never] ? never : [inputs: ExpandByName<NamedArgs<A>>]);

/** The parameter of `expandKwargs()`: objects, each with the arguments of one instance. */
export type KwargsList<O> = readonly { readonly [K in keyof O]: Arg<O[K]> }[] | XComArg<readonly O[]>;

/** Any number of a function's first arguments. */
type LeadingArgs<A extends readonly unknown[]> = number extends A["length"]
  ? readonly unknown[]
  : A["length"] extends 0
    ? []
    : A extends readonly [(infer H)?, ...infer T]
      ? [] | [Arg<H>, ...LeadingArgs<T>]
      : [];

/** The remaining arguments after the first ones, `P`, are given. */
type ArgsAfter<A extends readonly unknown[], P extends readonly unknown[]> = P extends readonly [unknown, ...infer Rest]
  ? A extends readonly [unknown?, ...infer T]
    ? ArgsAfter<T, Rest>
    : []
  : A;

/** A function with some arguments fixed, to be mapped over the others. */
export type PartialTask<A extends readonly unknown[], R> = {
  expand(...inputs: ExpandByPosition<A>): XComArg<R[]>;
};
/** Like `PartialTask`, for a function that takes its arguments by name; `O` = the remaining arguments. */
export type PartialTaskByName<O, R> = {
  expand(inputs: ExpandByName<O>): XComArg<R[]>;
  expandKwargs(list: KwargsList<O>): XComArg<R[]>;
};

/** The type of `partial` of a task function. */
export type PartialOf<A extends readonly unknown[], R> = [NamedArgs<A>] extends [never]
  ? <P extends LeadingArgs<A>>(...leading: P) => PartialTask<ArgsAfter<A, P>, R>
  : <K extends keyof NamedArgs<A>>(
      fixed: Pick<{ [N in keyof NamedArgs<A>]: Arg<NamedArgs<A>[N]> }, K>,
    ) => PartialTaskByName<Omit<NamedArgs<A>, K>, R>;

/** The value of an operator's option in `execute`, without the forms that a DAG file may use for it. */
type OptionValue<V> = [Extract<V, XComArg<unknown>>] extends [never] ? V : V extends XComArg<infer T> ? T : never;
type OptionMapArg<V> =
  | readonly V[]
  | ResultOf<Exclude<OptionValue<V>, undefined>>
  | (Exclude<OptionValue<V>, undefined> extends readonly [string, infer X] ? Readonly<Record<string, X>> : never);

/**
 * The options that can still be mapped when `K` is fixed: only the operator's own options, since the options of every task apply
 * to all instances.
 */
type LeftOptions<O, K> = Omit<O, Extract<K, keyof O> | keyof TaskOptions>;
type OptionInputs<L> = { readonly [N in keyof L]: OptionMapArg<Exclude<L[N], undefined>> };
type OptionValues<L> = { readonly [N in keyof L]: OptionValue<L[N]> };

/** An operator with some options fixed, to be mapped over others. */
export type PartialOperator<O, K, R> = {
  expand(inputs: OptionInputs<LeftOptions<O, K>>): MappedOperator<R>;
  expandKwargs(list: readonly LeftOptions<O, K>[] | XComArg<readonly OptionValues<LeftOptions<O, K>>[]>): MappedOperator<R>;
};
