/** A DAG that a fault does not concern, and whose runs show whether the fault affects other DAGs. */
import { sleep } from "../../src/platform/index.ts";
import type { Rig } from "../support/scheduler-rig.ts";
import type { DagSpec } from "./checker/index.ts";
import type { Random } from "./random.ts";
import type { Rigs } from "./rigs.ts";
import { fanOut } from "./workload.ts";

export const CALM = "calm";

export function calmDag(random: Random): DagSpec {
  return { ...fanOut(CALM, 4, random), maxActiveRuns: 100 };
}

/**
 * Plays `count` runs of the bystander, one after another, each to its end. The `rigs` make passes in turn; without rigs, a
 * scheduler loop must be running. A run that has not ended after `patienceMs` is left to the checker.
 */
export async function playCalm(rigs: Rigs, all: readonly Rig[], count: number, patienceMs = 8_000): Promise<void> {
  for (let round = 0; round < count; round++) {
    const runId = await rigs.trigger(CALM);
    const deadline = Date.now() + patienceMs;
    for (;;) {
      for (const rig of all) {
        await rig.pass().catch((error: Error) => rigs.caught.push(error.message));
        // Not `settled`: work that the fault keeps running must not be waited for.
        for (let turn = 0; turn < 3; turn++) await sleep(1);
      }
      if (all.length === 0) await sleep(10);
      const { rows } = await rigs.database.store.query<{ state: string }>("select state from dag_run where run_id = $1", [runId]);
      if (rows[0]?.state === "success") break;
      if (Date.now() > deadline) return;
    }
  }
}
