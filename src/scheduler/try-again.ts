import { toError } from "../platform/index.ts";
import { type AsideKey, asideFacts, completeBackfills, dueSetAside, takeSetAside } from "../store/index.ts";
import { fillingOf } from "./check-backfills.ts";
import { fillBackfill } from "./commands/backfill/fill-backfill.ts";
import { createSetAsideRun } from "./create-scheduled-runs.ts";
import { isOnesFault, noteAside, setFaultsAside } from "./culprits.ts";
import { decideAgain } from "./decide.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/** Limit per pass: each trial may be a failing transaction of its own, and passes wait meanwhile. */
const TRIALS_MAX = 20;

/** Tries what is set aside and due, each by itself. Returns how many were restored. */
export async function trySetAsideAgain(resources: SchedulerResources, options: SchedulerOptions): Promise<number> {
  let back = 0;
  for (const key of await dueSetAside(resources.store, TRIALS_MAX)) {
    try {
      if (!(await tryOne(resources, options, key))) continue;
      back++;
      resources.logger.info({ ...key }, "the trial of what was set aside succeeded: it takes part again");
    } catch (error) {
      if (!isOnesFault(error)) throw error;
      await setFaultsAside(resources, options, [{ ...key, error: toError(error) }]);
    }
  }
  noteAside(resources, await asideFacts(resources.store));
  return back;
}

/** false = it is gone, or another scheduler is trying it. */
async function tryOne(resources: SchedulerResources, options: SchedulerOptions, key: AsideKey): Promise<boolean> {
  const { store, clock } = resources;
  switch (key.kind) {
    case "run":
      return decideAgain(resources, options, key);
    case "schedule":
      return createSetAsideRun(resources, key);
    case "backfill": {
      const id = Number(key.subject);
      await fillBackfill(fillingOf(resources), id, { now: new Date(clock.now()) });
      return store.transaction(async (tx) => {
        if (!(await takeSetAside(tx, key))) return false;
        await completeBackfills(tx, [id]);
        return true;
      });
    }
    case "try":
    case "callback":
      // No check has failed with it for some time.
      return takeSetAside(store, key);
  }
}
