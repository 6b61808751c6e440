/** Null = left out, as in Python's `values[start:stop:step]`. */
export type Slice = { start: number | null; stop: number | null; step: number | null };

/** A slice of a list, as in Python: negative bounds count from the end, a negative step goes backwards. `step` is not 0. */
export function sliceValues<T>(values: readonly T[], slice: Slice): T[] {
  const step = slice.step ?? 1;
  const [lowest, highest] = step > 0 ? [0, values.length] : [-1, values.length - 1];
  const placed = (bound: number | null, fallback: number) =>
    bound === null ? fallback : Math.min(highest, Math.max(lowest, bound < 0 ? bound + values.length : bound));
  const start = placed(slice.start, step > 0 ? lowest : highest);
  const stop = placed(slice.stop, step > 0 ? highest : lowest);
  const taken: T[] = [];
  for (let at = start; step > 0 ? at < stop : at > stop; at += step) taken.push(...values.slice(at, at + 1));
  return taken;
}
