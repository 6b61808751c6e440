import { z } from "@hono/zod-openapi";
import { INT4_MAX, idSchema, TASK_INSTANCE_STATES } from "../../../contracts/index.ts";
import { INSTANCE_PATTERN_KEYS, type InstanceFilter, type InstancePatternKey } from "../../../store/index.ts";
import { decimal, instant, integer, many, mapIndexField, ranges, readDates, readNumbers, text } from "../fields.ts";
import { orderField, pageFields } from "../paging.ts";

const DATES = ["logical_date", "run_after", "start_date", "end_date", "updated_at"] as const;

type PatternShape = Record<`${InstancePatternKey}_pattern` | `${InstancePatternKey}_prefix_pattern`, z.ZodOptional<z.ZodString>>;
const patterns = Object.fromEntries(
  INSTANCE_PATTERN_KEYS.flatMap((key) => [
    [`${key}_pattern`, text.optional()],
    [`${key}_prefix_pattern`, text.optional()],
  ]),
) as PatternShape;

export const instanceQuery = z.object({
  ...pageFields,
  ...orderField,
  ...ranges(DATES, instant),
  ...ranges(["duration"], decimal),
  ...patterns,
  task_id: many(idSchema),
  task_group_id: text.optional(),
  /** "none" = no state yet. */
  state: many(z.enum([...TASK_INSTANCE_STATES, "none", "no_status"])),
  pool: many(text),
  queue: many(text),
  executor: many(text),
  operator: many(text),
  map_index: many(mapIndexField),
  try_number: many(integer(0, INT4_MAX)),
  version_number: many(integer(1, INT4_MAX)),
});

type InstanceQuery = z.infer<typeof instanceQuery>;

export function readInstanceFilter(
  query: Omit<InstanceQuery, "task_id" | "task_group_id"> & Partial<InstanceQuery>,
): InstanceFilter {
  const picked = (suffix: "_pattern" | "_prefix_pattern") =>
    Object.fromEntries(INSTANCE_PATTERN_KEYS.map((key) => [key, query[`${key}${suffix}`]]));
  return {
    taskIds: query.task_id,
    states: query.state?.map((state) => (state === "no_status" ? "none" : state)),
    pools: query.pool,
    queues: query.queue,
    executors: query.executor,
    operators: query.operator,
    mapIndexes: query.map_index,
    tryNumbers: query.try_number,
    versionNumbers: query.version_number,
    patterns: picked("_pattern"),
    prefixes: picked("_prefix_pattern"),
    ranges: { ...readDates(query, DATES), ...readNumbers(query, ["duration"]) },
  };
}
