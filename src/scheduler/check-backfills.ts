import { toError } from "../platform/index.ts";
import { completeBackfills, isDataFault, releaseBackfillRuns, unfilledBackfills } from "../store/index.ts";
import { fillBackfill } from "./commands/backfill/fill-backfill.ts";
import { isPoisoned } from "./commands/dag-cache.ts";
import type { SchedulerResources } from "./resources.ts";

/**
 * The net behind backfills: goes on with dates that whoever asked left open or crashed over, starts what a clear put into a
 * completed one, and completes those whose last run ended by hand or without a word.
 */
export async function checkBackfills(resources: SchedulerResources, signal?: AbortSignal): Promise<void> {
  const { store, dags, executors, clock, logger, pause } = resources;
  const filling = { store, dags, defaultExecutor: [...executors.keys()][0] ?? "", pause };
  for (const id of await unfilledBackfills(store)) {
    try {
      await fillBackfill(filling, id, { now: new Date(clock.now()), signal });
    } catch (error) {
      if (!isPoisoned(error) && !isDataFault(error)) throw error;
      logger.error({ backfill: id, error: toError(error).message }, "a backfill's runs could not be created; trying again");
    }
  }
  await releaseBackfillRuns(store);
  await completeBackfills(store, null);
}
