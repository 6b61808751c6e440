/** The schemas that requests and answers are composed of. Importing the OpenAPI package adds `.openapi()` to zod. */
import { z } from "@hono/zod-openapi";
import { INT4_MAX, idSchema, jsonObjectSchema, jsonValueSchema, NOTE_MAX, runIdSchema } from "../../contracts/index.ts";
import { readInstant } from "../../timetables/index.ts";

// ---- in a path or query, where every value is a string

export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^[+-]?\d{1,15}$/, "must be an integer")
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .openapi({ type: "integer", minimum: min, maximum: max });

export const decimal = z
  .string()
  .regex(/^[+-]?\d{1,15}(\.\d{1,9})?$/, "must be a number")
  .transform(Number)
  .openapi({ type: "number" });

export const flag = z
  .stringbool({ truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off"] })
  .openapi({ type: "boolean" });

/** A parameter that may be given several times. */
export const many = <T extends z.ZodType>(item: T) =>
  z
    .preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(item).max(1_000).optional())
    .openapi({ type: "array", items: { type: "string" } });

export const text = z.string().max(1_000);

// Any JSON. The contracts' schemas are recursive, which the document's generator does not support, so the type is given
// explicitly.
export const optionalJsonObject = z
  .unknown()
  .pipe(jsonObjectSchema)
  .nullable()
  .optional()
  .openapi({ type: ["object", "null"] });
export const jsonValue = z
  .unknown()
  .pipe(jsonValueSchema)
  .openapi({ type: ["object", "array", "string", "number", "boolean", "null"] });

/** ISO 8601 and the other formats of `readInstant`; UTC if it has no offset. */
export const instant = z
  .string()
  .transform((given, context) => readAs(given, context) ?? z.NEVER)
  .openapi({ type: "string", format: "date-time" });

/**
 * Validated as `instant`, but kept as text: without an offset it is local time of the DAG's time zone, which only the command
 * knows.
 */
export const zonedInstant = z
  .string()
  .superRefine((given, context) => void readAs(given, context))
  .openapi({ type: "string", format: "date-time" });

function readAs(given: string, context: z.RefinementCtx): Date | null {
  const read = readInstant(given, "utc");
  if (!read) context.addIssue({ code: "custom", message: `"${given.slice(0, 60)}" is not an instant like 2026-01-31T00:00:00Z` });
  return read;
}

/** In a body. Nullable is stated twice: `nullable()` does not change a type that is given explicitly to the document. */
export const optionalInstant = zonedInstant
  .nullable()
  .optional()
  .openapi({ type: ["string", "null"], format: "date-time" });

const OPERATORS = ["gte", "gt", "lte", "lt"] as const;
type Operator = (typeof OPERATORS)[number];
type RangeShape<K extends string, T extends z.ZodType> = Record<`${K}_${Operator}`, z.ZodOptional<T>>;

/** `<key>_gte`, `_gt`, `_lte`, `_lt` for each key. */
export function ranges<K extends string, T extends z.ZodType>(keys: readonly K[], item: T): RangeShape<K, T> {
  const shape = keys.flatMap((key) => OPERATORS.map((operator) => [`${key}_${operator}`, item.optional()]));
  return Object.fromEntries(shape) as RangeShape<K, T>;
}

type RangeValue<T> = { [O in Operator]?: T };

function readRanges<K extends string, T>(
  query: { [N in `${K}_${Operator}`]?: T },
  keys: readonly K[],
): { [N in K]?: RangeValue<T> } {
  const found: { [N in K]?: RangeValue<T> } = {};
  for (const key of keys) {
    const range: RangeValue<T> = {};
    for (const operator of OPERATORS) {
      const value = query[`${key}_${operator}`];
      if (value !== undefined) range[operator] = value;
    }
    if (Object.keys(range).length > 0) found[key] = range;
  }
  return found;
}

export function readDates<K extends string>(query: { [N in `${K}_${Operator}`]?: Date }, keys: readonly K[]) {
  return readRanges<K, Date>(query, keys);
}

export function readNumbers<K extends string>(query: { [N in `${K}_${Operator}`]?: number }, keys: readonly K[]) {
  return readRanges<K, number>(query, keys);
}

// ---- ids

export const mapIndexField = integer(-1, INT4_MAX);
/** `~` means all. */
const orAll = <T extends z.ZodType>(id: T) => z.union([z.literal("~"), id]);

export const dagPath = z.object({ dag_id: idSchema });
export const dagOrAllPath = z.object({ dag_id: orAll(idSchema) });
export const runPath = z.object({ dag_id: idSchema, dag_run_id: runIdSchema });
export const runOrAllPath = z.object({ dag_id: orAll(idSchema), dag_run_id: orAll(runIdSchema) });
export const taskPath = z.object({ dag_id: idSchema, dag_run_id: runIdSchema, task_id: idSchema });
export const taskOrAllPath = z.object({ dag_id: orAll(idSchema), dag_run_id: orAll(runIdSchema), task_id: orAll(idSchema) });

/** null = all. */
export const orNull = (id: string): string | null => (id === "~" ? null : id);
export const orNone = (id: string): string[] | undefined => (id === "~" ? undefined : [id]);

/** Fields of Airflow's bodies that Baram does not support; Airflow's clients send them as null. */
export const absent = z.null().optional();

// ---- in answers

export const when = z.string().openapi({ format: "date-time" });
export const count = z.int();
/** A note of a run or task instance, limited as in Airflow. */
export const note = z.string().max(NOTE_MAX, `a note has at most ${NOTE_MAX} characters`).nullable();

export function iso(date: Date): string {
  return date.toISOString();
}

export function isoOrNull(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}
