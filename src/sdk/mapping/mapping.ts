import type { MapPlace, MapSource, SerializedMapping } from "../../contracts/index.ts";
import { collectXComArgs, isPlainObject, replacePlaceholders } from "../args/walk-value.ts";
import { DerivedArg, MapElement, RETURN_VALUE_KEY, XComArg } from "../args/xcom-arg.ts";
import { SkipError } from "../context/signals.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import type { DagDraft, DraftGroup, MapInput, Mapping } from "../graph/types.ts";
import { findJsonFault } from "../values/json-fault.ts";

/** Placeholder in the options of a mapped task for the value that differs between its instances. */
export class MappedValue extends XComArg<never> {
  readonly input: MapInput;

  constructor(draft: DagDraft, taskId: string, input: MapInput) {
    super({ kind: "task", draft, id: taskId });
    this.input = input;
  }

  override references(): readonly XComArg<unknown>[] {
    return [];
  }

  override inputs(): readonly XComArg<unknown>[] {
    return [];
  }

  override describe(): string {
    if (this.input instanceof XComArg) return `each of ${this.input.describe()}`;
    return `each of ${lengthOfLiteral(this.input)} elements`;
  }
}

/**
 * Refuses invalid mappings.
 * @throws DagDefinitionError MAPPING_INVALID, MAPPING_NESTED, TASK_ARGUMENT_NOT_JSON
 */
export function checkMapping(where: string, mapping: Mapping, groups: readonly DraftGroup[]): void {
  const around = groups.find((group) => group.mapping !== null);
  if (around !== undefined) {
    throw new DagDefinitionError(
      "MAPPING_NESTED",
      `${where} is mapped inside the mapped group "${around.groupId}": mapping inside a mapped group is not possible. Map the group over a longer list, made by zip() or concat(), or move the task out of it`,
      { groupId: around.groupId },
    );
  }
  if (mapping.inputs.length === 0) throw invalid(where, `${mapping.kind}() is given nothing to map over`);
  for (const { name, value } of mapping.inputs) checkInput(`${where}: ${mapping.kind}() of ${name}`, value, mapping.kind);
}

function checkInput(where: string, value: unknown, kind: Mapping["kind"]): void {
  if (value instanceof XComArg) {
    checkResult(where, value);
    return;
  }
  const isList = Array.isArray(value);
  if (!isList && (kind === "expandKwargs" || !isPlainObject(value))) {
    const forms = kind === "expand" ? "a list, an object or a task's result" : "a list of objects or a task's result";
    throw invalid(where, `takes ${forms}, not ${showValue(value)}`);
  }
  const elements: unknown[] = isList ? value : Object.values(value as object);
  const wrong = kind === "expandKwargs" ? elements.find((element) => !isPlainObject(element)) : undefined;
  if (wrong !== undefined) throw invalid(where, `takes a list of objects, but one of its elements is ${showValue(wrong)}`);
  const fault = findJsonFault(withoutFunctions(replacePlaceholders(elements, () => null)));
  if (fault === undefined) return;
  throw new DagDefinitionError(
    "TASK_ARGUMENT_NOT_JSON",
    `${where}: the element at ${fault.path} is ${fault.fault}. Elements must be JSON or results of other tasks`,
  );
}

/** A template field may be a function of the context; it is called when its instance is rendered, so it need not be JSON. */
function withoutFunctions(value: unknown): unknown {
  if (typeof value === "function") return null;
  if (Array.isArray(value)) return value.map(withoutFunctions);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, withoutFunctions(element)]));
}

function checkResult(where: string, arg: XComArg<unknown>): void {
  if (arg instanceof MapElement)
    throw invalid(where, `cannot be an element of the mapped group "${arg.groupId}": it is known only inside its tasks`);
  if (arg instanceof DerivedArg) {
    for (const source of arg.derivation.sources as readonly MapInput[]) if (source instanceof XComArg) checkResult(where, source);
  } else if (arg.key !== RETURN_VALUE_KEY) {
    throw invalid(
      where,
      `cannot be the XCom "${arg.key}" of task "${arg.taskId}": only a task's returned value can be mapped over`,
    );
  }
}

/** The results whose tasks must have ended before the number of elements is known. */
export function mappedResults(mapping: Mapping): XComArg<unknown>[] {
  return mapping.inputs.flatMap(({ value }) => (value instanceof XComArg ? [...value.references()] : []));
}

/** The results inside the elements of literal lists. */
export function resultsInElements(mapping: Mapping): XComArg<unknown>[] {
  return mapping.inputs.flatMap(({ value }) => (value instanceof XComArg ? [] : collectXComArgs(value)));
}

export function serializeMapping(mapping: Mapping | null): SerializedMapping | null {
  if (mapping === null) return null;
  return { kind: mapping.kind, inputs: mapping.inputs.map(({ name, value }) => ({ name, source: toSource(value) })) };
}

function toSource(value: MapInput): MapSource {
  if (!(value instanceof XComArg)) return { type: "literal", length: lengthOfLiteral(value) };
  if (!(value instanceof DerivedArg)) return { type: "xcom", taskId: value.taskId };
  const { derivation } = value;
  switch (derivation.kind) {
    case "map":
      return toSource(derivation.sources[0]);
    case "zip":
      return { type: "zip", sources: derivation.sources.map(toSource), isFilled: derivation.fill !== undefined };
    case "concat":
      return { type: "concat", sources: derivation.sources.map(toSource) };
  }
}

/** The `value` of a literal is as written in the DAG file and must still be rendered; that of a result is data. */
export type BoundElement = { isLiteral: boolean; value: unknown };

/**
 * The element of an input at a place. `elementOf` returns the elements of results.
 * @throws SkipError if the function given to `map` returned undefined for it.
 */
export async function readElement(
  input: MapInput,
  place: MapPlace,
  elementOf: (taskId: string, index: number) => unknown,
): Promise<BoundElement> {
  if (!(input instanceof XComArg)) {
    const index = place.type === "literal" ? place.index : -1;
    return { isLiteral: true, value: Array.isArray(input) ? input[index] : Object.entries(input)[index] };
  }
  return { isLiteral: false, value: await readData(input, place, elementOf) };
}

async function readData(
  input: MapInput,
  place: MapPlace,
  elementOf: (taskId: string, index: number) => unknown,
): Promise<unknown> {
  if (input instanceof DerivedArg) {
    const { derivation } = input;
    if (derivation.kind === "map") return applyMap(derivation.fn, await readData(derivation.sources[0], place, elementOf));
    if (derivation.kind === "zip" && place.type === "zip") {
      const parts = derivation.sources.map((source, at) => {
        const part = place.places[at] ?? null;
        return part === null ? derivation.fill : readData(source, part, elementOf);
      });
      return Promise.all(parts);
    }
    if (derivation.kind === "concat" && place.type === "concat") {
      const source = derivation.sources[place.part];
      if (source !== undefined) return readData(source, place.place, elementOf);
    }
  } else if (input instanceof XComArg) {
    if (place.type === "xcom") return elementOf(place.taskId, place.index);
  } else if (place.type === "literal") return Array.isArray(input) ? input[place.index] : Object.entries(input)[place.index];
  throw new Error(`the place of an element does not fit what it is mapped over: ${JSON.stringify(place)}`);
}

async function applyMap(fn: (element: unknown) => unknown, element: unknown): Promise<unknown> {
  const made = await fn(element);
  if (made === undefined) throw new SkipError("map() made nothing of this element");
  return made;
}

/** A complete derived list, for an argument of a task; elements for which `map` gave nothing are left out. */
export async function readDerived(
  arg: DerivedArg<unknown>,
  resolve: (arg: XComArg<unknown>) => Promise<unknown>,
): Promise<unknown[]> {
  const { derivation } = arg;
  const listOf = async (source: MapInput): Promise<unknown[]> => {
    if (!(source instanceof XComArg)) return toList(source);
    return source instanceof DerivedArg ? readDerived(source, resolve) : toList(await resolve(source));
  };
  const lists = await Promise.all((derivation.sources as readonly MapInput[]).map(listOf));
  switch (derivation.kind) {
    case "concat":
      return lists.flat(1);
    case "zip": {
      const lengths = lists.map((list) => list.length);
      const length = derivation.fill === undefined ? Math.min(...lengths) : Math.max(...lengths);
      return Array.from({ length }, (_, at) => lists.map((list) => (at < list.length ? list[at] : derivation.fill)));
    }
    case "map": {
      const made = await Promise.all((lists[0] ?? []).map((element) => applyMap(derivation.fn, element).catch(skipToNothing)));
      return made.filter((element) => element !== undefined);
    }
  }
}

function skipToNothing(error: unknown): undefined {
  if (!(error instanceof SkipError)) throw error;
}

function toList(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

function lengthOfLiteral(value: object): number {
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

function invalid(where: string, fault: string): DagDefinitionError {
  return new DagDefinitionError("MAPPING_INVALID", `${where} ${fault}`);
}
