/** A role as a part that a process puts together: one for a role's own command, all of them for standalone. */
export type Part = { stop(): Promise<void> };
