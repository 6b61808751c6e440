/** How often a try was launched and died before it ran: the try's key stays while its ids change. */
export type StartCount = {
  /** Counts one more, and says how many that makes. */
  add(tryKey: string): number;
};

/** What is forgotten first is the oldest; a try forgotten is launched a few times more than it should. */
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
