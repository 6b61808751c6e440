/** A role as a part that a process puts together: one for a role's own command, all of them for standalone. */
export type Part = {
  stop(): Promise<void>;
  /** Resolves when the role has come to an end of its own accord; left out where it never does. */
  readonly finished?: Promise<void>;
  /** Where its health port answers, if it has one. */
  readonly healthUrl?: string;
};

/**
 * The job a role runs under, since when, and when its heartbeat was last written, in ms since the epoch. A scheduler says too since when and
 * why its passes fail, and how many runs and the like it has set aside.
 */
export type RoleLife = {
  jobId: number;
  sinceMs: number;
  heartbeatMs: number;
  failing?: { sinceMs: number; reason: string } | null;
  setAside?: number;
};
