/** Counts how often a try was launched and died before it ran. The key stays the same while the try's ids change. */
export type StartCount = {
  /** Increments and returns the count. */
  add(tryKey: string): number;
};

/** The oldest entries are evicted first; an evicted try is launched a few times too often. */
const KEPT_MAX = 10_000;

export function createStartCount(): StartCount {
  const counts = new Map<string, number>();
  return {
    add(tryKey) {
      const count = (counts.get(tryKey) ?? 0) + 1;
      counts.delete(tryKey);
      counts.set(tryKey, count);
      const [oldest] = counts.keys();
      if (counts.size > KEPT_MAX && oldest !== undefined) counts.delete(oldest);
      return count;
    },
  };
}
