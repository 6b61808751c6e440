import { BaramError } from "../../platform/index.ts";

export type Bounds = { readonly max: number; readonly min: number };
export type Scale = { readonly limit: number /** Since when it needs less, in ms. */; readonly idleSinceMs: number | null };

/** As in Celery, for idle processes. */
const SHRINK_AFTER_MS = 30_000;

/** `max,min`, as Celery writes it. Throws `config_invalid`. */
export function readBounds(text: string): Bounds {
  const [, max, min] = /^\s*(\d{1,5})\s*,\s*(\d{1,5})\s*$/.exec(text) ?? [];
  const bounds = { max: Number(max), min: Number(min) };
  if (max !== undefined && bounds.min >= 1 && bounds.max >= bounds.min) return bounds;
  throw new BaramError(
    "config_invalid",
    `A worker's autoscale bounds are "${text}"; they must be two whole numbers max,min with max the larger and min at least 1, like 16,4.`,
    { bounds: text },
  );
}

/** The worker's next concurrency: it doubles while the worker is full, and shrinks to what is needed after a while. Pure. */
export function nextScale({ limit, idleSinceMs }: Scale, active: number, { max, min }: Bounds, nowMs: number): Scale {
  if (active >= limit) return { limit: Math.min(max, limit * 2), idleSinceMs: null };
  if (limit <= min) return { limit, idleSinceMs: null };
  if (idleSinceMs === null) return { limit, idleSinceMs: nowMs };
  if (nowMs - idleSinceMs < SHRINK_AFTER_MS) return { limit, idleSinceMs };
  return { limit: Math.max(min, active), idleSinceMs: null };
}
