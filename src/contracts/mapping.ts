import { z } from "zod";
import { idSchema } from "./ids.ts";

/**
 * Where the elements of a mapped task or group come from, without their values: enough to determine their number and which
 * element of which result is at a position. `literal`: written in the file. `xcom`: another task's result, a list or an object;
 * the collected list if that task is mapped. `.map()` is not included, since it changes neither.
 */
export type MapSource =
  | { type: "literal"; length: number }
  | { type: "xcom"; taskId: string }
  /** `isFilled`: as long as the longest list, otherwise as the shortest. */
  | { type: "zip"; sources: MapSource[]; isFilled: boolean }
  | { type: "concat"; sources: MapSource[] };

export const mapSourceSchema: z.ZodType<MapSource> = z.lazy(() =>
  z.discriminatedUnion("type", [
    z.object({ type: z.literal("literal"), length: z.int().min(0) }),
    z.object({ type: z.literal("xcom"), taskId: idSchema }),
    z.object({ type: z.literal("zip"), sources: z.array(mapSourceSchema).min(1), isFilled: z.boolean() }),
    z.object({ type: z.literal("concat"), sources: z.array(mapSourceSchema).min(1) }),
  ]),
);

/** The inputs of a mapping: one source, or several whose cross product is used, with the last one varying fastest. */
export const serializedMappingSchema = z.object({
  kind: z.enum(["expand", "expandKwargs"]),
  /** `name`: the option or the number of the argument, for display. */
  inputs: z.array(z.object({ name: z.string(), source: mapSourceSchema })).min(1),
});
export type SerializedMapping = z.infer<typeof serializedMappingSchema>;

/** Number of elements of a task's result; null = there is no result that can be mapped over. */
export type LengthOf = (taskId: string) => number | null;

/**
 * The place of one element: the index in a literal, the index in a result, or the places of the parts of a zipped element (null =
 * filled).
 */
export type MapPlace =
  | { type: "literal"; index: number }
  | { type: "xcom"; taskId: string; index: number }
  | { type: "zip"; places: (MapPlace | null)[] }
  | { type: "concat"; part: number; place: MapPlace };

/** Ids of the tasks whose results a mapping needs, without duplicates. */
export function mapSourceTasks(mapping: SerializedMapping): string[] {
  const found = new Set<string>();
  const visit = (source: MapSource): void => {
    if (source.type === "xcom") found.add(source.taskId);
    if ("sources" in source) source.sources.forEach(visit);
  };
  for (const { source } of mapping.inputs) visit(source);
  return [...found];
}

export function sourceLength(source: MapSource, lengthOf: LengthOf): number | null {
  switch (source.type) {
    case "literal":
      return source.length;
    case "xcom":
      return lengthOf(source.taskId);
    case "zip":
    case "concat": {
      const lengths: number[] = [];
      for (const part of source.sources) {
        const length = sourceLength(part, lengthOf);
        if (length === null) return null;
        lengths.push(length);
      }
      if (source.type === "concat") return lengths.reduce((sum, length) => sum + length, 0);
      return source.isFilled ? Math.max(...lengths) : Math.min(...lengths);
    }
  }
}

/** Number of instances; null = a required result is missing or cannot be mapped over. */
export function mappingLength(mapping: SerializedMapping, lengthOf: LengthOf): number | null {
  let product = 1;
  for (const { source } of mapping.inputs) {
    const length = sourceLength(source, lengthOf);
    if (length === null) return null;
    product *= length;
  }
  return product;
}

/** The place of instance `mapIndex` in each input, in the order of the inputs; null if the index is out of range. */
export function placesOf(mapping: SerializedMapping, mapIndex: number, lengthOf: LengthOf): MapPlace[] | null {
  const places: MapPlace[] = [];
  let rest = mapIndex;
  for (const { source } of mapping.inputs.toReversed()) {
    const length = sourceLength(source, lengthOf) ?? 0;
    if (length === 0) return null;
    places.unshift(placeIn(source, rest % length, lengthOf));
    rest = Math.floor(rest / length);
  }
  return rest === 0 ? places : null;
}

/** The result elements that a place needs. */
export function elementsAt(place: MapPlace): { taskId: string; index: number }[] {
  switch (place.type) {
    case "literal":
      return [];
    case "xcom":
      return [{ taskId: place.taskId, index: place.index }];
    case "zip":
      return place.places.flatMap((part) => (part === null ? [] : elementsAt(part)));
    case "concat":
      return elementsAt(place.place);
  }
}

function placeIn(source: MapSource, index: number, lengthOf: LengthOf): MapPlace {
  switch (source.type) {
    case "literal":
      return { type: "literal", index };
    case "xcom":
      return { type: "xcom", taskId: source.taskId, index };
    case "zip":
      return {
        type: "zip",
        places: source.sources.map((part) =>
          index < (sourceLength(part, lengthOf) ?? 0) ? placeIn(part, index, lengthOf) : null,
        ),
      };
    case "concat": {
      let rest = index;
      for (const [part, inner] of source.sources.entries()) {
        const length = sourceLength(inner, lengthOf) ?? 0;
        if (rest < length) return { type: "concat", part, place: placeIn(inner, rest, lengthOf) };
        rest -= length;
      }
      throw new RangeError(`position ${index} is beyond the end of the lists`);
    }
  }
}
