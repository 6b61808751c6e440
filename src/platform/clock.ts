/** Injected time: milliseconds since the epoch. Leases and state timestamps use the database's clock instead. */
export type Clock = { now(): number };

export const systemClock: Clock = { now: () => Date.now() };
