/**
 * The offline checker: reads the data that a run of the system left behind and reports which invariants of docs/chaos.md it
 * broke. It does not know how the faults were made or where the tasks ran.
 */
import type { Expectation, History } from "./history.ts";
import { checkIsolation } from "./isolation.ts";
import { checkLimits, checkServer } from "./limits.ts";
import { checkAcknowledged, checkEnds, checkOutputs, checkRecovery, checkRuns, checkTriggerRules } from "./runs.ts";
import { checkAttempts, checkLeases, checkStaleWrites, checkTransitions } from "./tries.ts";

export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9" | "I10" | "I11" | "I12" | "I13";

const CHECKS: Readonly<Record<Invariant, (history: History, expect: Expectation) => string[]>> = {
  I1: checkLeases,
  I2: checkTransitions,
  I3: checkEnds,
  I4: checkAttempts,
  I5: checkLimits,
  I6: checkRuns,
  I7: checkTriggerRules,
  I8: checkStaleWrites,
  I9: checkIsolation,
  I10: checkRecovery,
  I11: checkOutputs,
  I12: checkAcknowledged,
  I13: checkServer,
};
export const ALL_INVARIANTS = Object.keys(CHECKS) as Invariant[];

export type Verdict = { invariant: Invariant; faults: string[] };

/** Checks all invariants, not only those that a fault names: a fault may break an unexpected one. */
export function checkHistory(history: History, expect: Expectation, except: readonly Invariant[] = []): Verdict[] {
  // Without a bystander DAG to compare, I9 cannot be checked.
  const isLookedAt = (one: Invariant) => !except.includes(one) && (one !== "I9" || expect.bystanders !== undefined);
  return ALL_INVARIANTS.filter(isLookedAt).map((invariant) => ({
    invariant,
    faults: CHECKS[invariant](history, expect),
  }));
}

export type { DagSpec, Expectation, History, TaskSpec } from "./history.ts";
export { callbackTraceOf, readHistory } from "./read-history.ts";
