import { DagDefinitionError, showValue } from "../definition-error.ts";
import type { Linkable } from "../graph/linkable.ts";
import { TaskLink } from "../graph/task-link.ts";
import type { Endpoint, MapInput } from "../graph/types.ts";
import { checkId } from "../values/check-id.ts";

export const RETURN_VALUE_KEY = "return_value";

declare const resolvesTo: unique symbol;

/** A list in a DAG file: a literal list or a task's result. */
export type ListArg<T> = readonly T[] | XComArg<readonly T[]>;

/**
 * The value that a task will return (or push under another key). Passing it to another task creates an edge. It is null if the
 * task pushed nothing or was skipped. For a mapped task it is the list of its instances' results in the order of their map
 * indexes, without those that returned nothing.
 */
export class XComArg<R> extends TaskLink {
  declare readonly [resolvesTo]: R;
  override readonly endpoint: Endpoint & { kind: "task" };
  readonly key: string;

  constructor(endpoint: Endpoint & { kind: "task" }, key: string = RETURN_VALUE_KEY) {
    super();
    this.endpoint = endpoint;
    this.key = key;
  }

  get taskId(): string {
    return this.endpoint.id;
  }

  /** The value that the same task pushes under another key, for example one of its `multipleOutputs`. */
  at<T = unknown>(key: string): XComArg<T> {
    checkId("XCom key", key);
    return new XComArg<T>(this.endpoint, key);
  }

  /**
   * The list with `fn` applied to each element. `fn` runs in the process of the task that uses the list. An element for which
   * `fn` returns undefined or throws a SkipError is left out; a task instance mapped over it is skipped.
   */
  map<E, U>(this: XComArg<readonly E[]>, fn: (element: E) => U): XComArg<Exclude<Awaited<U>, undefined>[]>;
  map<V, U>(
    this: XComArg<Readonly<Record<string, V>>>,
    fn: (pair: [key: string, value: V]) => U,
  ): XComArg<Exclude<Awaited<U>, undefined>[]>;
  map(fn: (element: never) => unknown): XComArg<never> {
    if (typeof fn !== "function") {
      throw new DagDefinitionError(
        "MAPPING_INVALID",
        `map() of the result of "${this.taskId}" takes a function, not ${showValue(fn)}`,
      );
    }
    return new DerivedArg<never>({ kind: "map", sources: [this], fn: fn as (element: unknown) => unknown });
  }

  /** This list followed by the others. */
  concat<E, T>(this: XComArg<readonly E[]>, ...others: ListArg<T>[]): XComArg<(E | T)[]> {
    return concat<E | T>(this, ...others);
  }

  /** The task results that this value is derived from. */
  references(): readonly XComArg<unknown>[] {
    return [this];
  }

  /** The results that must be loaded completely if this value is passed as an argument. */
  inputs(): readonly XComArg<unknown>[] {
    return [this];
  }

  /** The template that pulls the same value, for display. */
  describe(): string {
    return `{{ ti.xcom_pull(task_ids='${this.taskId}', key='${this.key}') }}`;
  }
}

export type Derivation =
  | { readonly kind: "map"; readonly sources: readonly [XComArg<unknown>]; readonly fn: (element: unknown) => unknown }
  /** `fill` replaces missing elements of the shorter lists; undefined = the result is as long as the shortest list. */
  | { readonly kind: "zip"; readonly sources: readonly MapInput[]; readonly fill: unknown }
  | { readonly kind: "concat"; readonly sources: readonly MapInput[] };

/** A list derived from results by `map`, `zip` or `concat`. */
export class DerivedArg<R> extends XComArg<R> {
  readonly derivation: Derivation;

  constructor(derivation: Derivation) {
    const [first] = referencesOf(derivation.sources);
    if (first === undefined) {
      throw new DagDefinitionError(
        "MAPPING_INVALID",
        `${derivation.kind}() needs the result of at least one task among its lists`,
      );
    }
    super(first.endpoint);
    this.derivation = derivation;
  }

  override references(): readonly XComArg<unknown>[] {
    return referencesOf(this.derivation.sources);
  }

  override inputs(): readonly XComArg<unknown>[] {
    const sources: readonly MapInput[] = this.derivation.sources;
    return sources.flatMap((source) => (source instanceof XComArg ? source.inputs() : []));
  }

  override links(): readonly Linkable[] {
    return this.references();
  }

  override at<T = unknown>(_key: string): XComArg<T> {
    throw new DagDefinitionError(
      "MAPPING_INVALID",
      `a list made by ${this.derivation.kind}() has no other keys: call at() on a task's result`,
    );
  }

  override describe(): string {
    const sources: readonly MapInput[] = this.derivation.sources;
    return `${this.derivation.kind}(${sources.map(describeSource).join(", ")})`;
  }
}

/**
 * One element of the list that a mapped group is mapped over; passed to the group's body. It has a different value in each
 * instance of the group's tasks.
 */
export class MapElement<R> extends XComArg<R> {
  readonly groupId: string;
  readonly position: number;
  readonly input: MapInput;

  constructor(endpoint: Endpoint & { kind: "task" }, group: { groupId: string; position: number; input: MapInput }) {
    super(endpoint);
    this.groupId = group.groupId;
    this.position = group.position;
    this.input = group.input;
  }

  override references(): readonly XComArg<unknown>[] {
    return referencesOf([this.input]);
  }

  override inputs(): readonly XComArg<unknown>[] {
    return [];
  }

  override links(): readonly Linkable[] {
    return this.references();
  }

  override at<T = unknown>(_key: string): XComArg<T> {
    throw new DagDefinitionError(
      "MAPPING_INVALID",
      `an element of mapped group "${this.groupId}" has no keys: read it inside a task`,
    );
  }

  override describe(): string {
    return `(element ${this.position + 1} of group ${this.groupId})`;
  }
}

/**
 * Combines lists element by element: `zip(ids, names)` has elements `[id, name]` and is as long as the shortest list; with
 * `fillValue`, as long as the longest.
 */
export function zip<T extends readonly ListArg<unknown>[], F = never>(
  ...args: [...T] | [...T, { fillValue: F }]
): XComArg<{ [K in keyof T]: T[K] extends ListArg<infer E> ? E | F : never }[]> {
  const last: unknown = args.at(-1);
  const hasFill = typeof last === "object" && last !== null && !Array.isArray(last) && !(last instanceof XComArg);
  const fill = hasFill ? (last as { fillValue?: unknown }).fillValue : undefined;
  const sources = checkLists("zip", hasFill ? args.slice(0, -1) : args);
  return new DerivedArg({ kind: "zip", sources, fill });
}

/** Concatenates lists. */
export function concat<T>(...lists: ListArg<T>[]): XComArg<T[]> {
  return new DerivedArg<T[]>({ kind: "concat", sources: checkLists("concat", lists) });
}

function checkLists(name: string, lists: readonly unknown[]): MapInput[] {
  const wrong = lists.find((list) => !Array.isArray(list) && !(list instanceof XComArg));
  if (wrong === undefined) return lists as MapInput[];
  throw new DagDefinitionError("MAPPING_INVALID", `${name}() takes lists and results of tasks, not ${showValue(wrong)}`);
}

function describeSource(source: MapInput): string {
  return source instanceof XComArg ? source.describe() : `${Object.keys(source).length} elements`;
}

function referencesOf(sources: readonly MapInput[]): XComArg<unknown>[] {
  return sources.flatMap((source) => (source instanceof XComArg ? source.references() : []));
}
