/** A role as a part of a process: a role's own command runs one part, standalone runs all. */
export type Part = {
  stop(): Promise<void>;
  /** Resolves when the role ends by itself; left out if it never does. */
  readonly finished?: Promise<void>;
  /** The URL of its health port, if it has one. */
  readonly healthUrl?: string;
};

/**
 * The job a role runs under, since when, and when its heartbeat was last written, in ms since the epoch. For a scheduler also since
 * when and why its passes fail, and how many things are set aside.
 */
export type RoleLife = {
  jobId: number;
  sinceMs: number;
  heartbeatMs: number;
  failing?: { sinceMs: number; reason: string } | null;
  setAside?: number;
};
