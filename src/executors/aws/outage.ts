/**
 * Whether AWS can be asked: it cannot while it does not answer, or refuses the credentials. The pause between two attempts belongs to
 * the outage, however many requests fail in it: those that were under way together are one sign of it, and only a request that was sent
 * after the last sign is another. The first answer ends it.
 */
export type Outage = {
  /** What a request keeps that is sent now. */
  mark(): number;
  /** A request failed that was sent at this mark. Returns whether it is a new sign. */
  sign(mark: number, nowMs: number): boolean;
  /** AWS answered. Returns whether there was an outage. */
  end(): boolean;
  isOn(): boolean;
  /** Signs of the present outage; 0 = there is none. */
  signs(): number;
  /** Counts outages, the present one too. */
  number(): number;
  /** No request is sent before. */
  pausedUntilMs(): number;
};

/** `pauseMs`: the pause after this many signs, at most. `random` returns 0..1, so that several schedulers do not ask together. */
export function createOutage(options: { pauseMs: (signs: number) => number; random?: () => number }): Outage {
  const random = options.random ?? Math.random;
  let signs = 0;
  let total = 0;
  let outages = 0;
  let untilMs = 0;
  return {
    mark: () => total,
    sign(mark, nowMs) {
      if (mark < total) return false;
      total++;
      if (++signs === 1) outages++;
      untilMs = nowMs + options.pauseMs(signs) * (0.5 + random() / 2);
      return true;
    },
    end() {
      const wasOn = signs > 0;
      signs = 0;
      untilMs = 0;
      return wasOn;
    },
    isOn: () => signs > 0,
    signs: () => signs,
    number: () => outages,
    pausedUntilMs: () => untilMs,
  };
}
