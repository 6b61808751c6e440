import { z } from "zod";
import {
  COUNT_MAX,
  DURATION_MAX_SEC,
  INSTANT_MAX_MS,
  INSTANT_MIN_MS,
  INSTANT_RULE,
  INT4_MAX,
  INT4_MIN,
  isInstantInBounds,
  POOL_SLOTS_MAX,
} from "./bounds/index.ts";

// The bounds as schemas, for values from other processes.

/** A whole number of at least `min`. */
export const countSchema = (min: number) => z.int().min(min).max(COUNT_MAX);
export const poolSlotsSchema = z.int().min(1).max(POOL_SLOTS_MAX);
/** Size of a pool; -1 = no limit. */
export const poolSizeSchema = z.int().min(-1).max(INT4_MAX);
/** A task's own weight; the sum of the weight rule is clamped to an int4. */
export const weightSchema = z.int().min(-COUNT_MAX).max(COUNT_MAX);
/** -1 = not mapped. */
export const mapIndexSchema = z.int().min(-1).max(INT4_MAX);
/** Process ids and other numbers of a machine. */
export const int4Schema = z.int().min(INT4_MIN).max(INT4_MAX);

export const durationSecSchema = z.number().min(0).max(DURATION_MAX_SEC);
export const positiveSecSchema = z.number().positive().max(DURATION_MAX_SEC);

/** ISO 8601 with an offset. */
export const instantTextSchema = z.iso
  .datetime({ offset: true })
  .refine((text) => isInstantInBounds(Date.parse(text)), { error: INSTANT_RULE });
export const instantMsSchema = z.int().min(INSTANT_MIN_MS).max(INSTANT_MAX_MS);
