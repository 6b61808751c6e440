import { type MapFacts, placesOf } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import type { DagDefinition } from "../../sdk/index.ts";
import { type Mapping, readElement, serializeMapping, type TaskNode } from "../../sdk/runtime.ts";

/** Data from another task: passed on unchanged, and never rendered as a template. */
export class Data {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** The values of one mapped instance, one for each input: literals as they are written, results as `Data`. */
export type ElementReader = () => Promise<readonly unknown[]>;

/**
 * The values for the instance `mapIndex` of a mapped task, or of a task in a mapped group; read once, on first use. @throws
 * SkipError from the reader if `map` returned no value for the element.
 */
export function createElementReader(mapping: Mapping, mapIndex: number, facts: MapFacts | null): ElementReader {
  let reading: Promise<readonly unknown[]> | undefined;
  return () => {
    reading ??= readElements(mapping, mapIndex, facts ?? { lengths: [], elements: [] });
    return reading;
  };
}

async function readElements(mapping: Mapping, mapIndex: number, facts: MapFacts): Promise<readonly unknown[]> {
  const lengths = new Map(facts.lengths.map(({ taskId, length }) => [taskId, length]));
  const serialized = serializeMapping(mapping);
  const places = serialized && placesOf(serialized, mapIndex, (taskId) => lengths.get(taskId) ?? null);
  if (!places) {
    const known = facts.lengths.map(({ taskId, length }) => `${taskId} has ${length}`).join(", ") || "none are known";
    throw new BaramError(
      "map_index_invalid",
      `there is no element for map index ${mapIndex}: of the results mapped over, ${known}`,
      {
        mapIndex,
      },
    );
  }
  const elementOf = (taskId: string, index: number) => {
    const found = facts.elements.find((element) => element.taskId === taskId && element.index === index);
    if (found) return found.value;
    throw new BaramError("map_index_invalid", `the result of "${taskId}" has no element ${index} any more`, { taskId, index });
  };
  return Promise.all(
    mapping.inputs.map(async ({ value }, at) => {
      const place = places[at];
      if (place === undefined) throw new Error(`input ${at + 1} has no place`);
      const element = await readElement(value, place, elementOf);
      return element.isLiteral ? element.value : new Data(element.value);
    }),
  );
}

/** The options of one instance: those that all share, with its own values in their places. */
export async function bindOptions(dag: DagDefinition, node: TaskNode, read: ElementReader): Promise<object> {
  const { mapping } = node;
  if (mapping === null) return node.options;
  const values = await read();
  if (mapping.kind === "expand") return mapping.bind(node.options, values);
  const [element] = values;
  const given = element instanceof Data ? element.value : element;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new BaramError(
      "mapping_invalid",
      `DAG ${dag.dagId}: expandKwargs() of task "${node.taskId}" takes a list of objects, but an element is ${JSON.stringify(given)?.slice(0, 100)}`,
      { taskId: node.taskId },
    );
  }
  const isData = element instanceof Data;
  const properties = Object.entries(given).map(([name, value]) => [name, isData ? new Data(value) : value]);
  return mapping.bind(node.options, [Object.fromEntries(properties)]);
}
