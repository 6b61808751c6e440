import { toError } from "../platform/index.ts";
import { completeBackfills, doneBackfills, releasableRuns, releaseBackfillRuns, unfilledBackfills } from "../store/index.ts";
import { type BackfillResources, fillBackfill } from "./commands/backfill/fill-backfill.ts";
import { findFaults, isOnesFault, setFaultsAside } from "./culprits.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

/**
 * The periodic check of backfills. It fills dates that the creator left open or crashed before, releases runs that a clear put into
 * a completed backfill, and completes backfills whose last run ended by hand or unnoticed.
 */
export async function checkBackfills(
  resources: SchedulerResources,
  options: SchedulerOptions,
  signal?: AbortSignal,
): Promise<void> {
  const { store, clock } = resources;
  const filling = fillingOf(resources);
  for (const id of await unfilledBackfills(store)) {
    try {
      await fillBackfill(filling, id, { now: new Date(clock.now()), signal });
    } catch (error) {
      if (!isOnesFault(error)) throw error;
      await setFaultsAside(resources, options, [{ kind: "backfill", subject: String(id), error: toError(error) }]);
    }
  }
  await forAllOrEach(
    resources,
    options,
    "run",
    (ids) => releaseBackfillRuns(store, ids),
    () => releasableRuns(store),
  );
  await forAllOrEach(
    resources,
    options,
    "backfill",
    (ids) => completeBackfills(store, ids),
    () => doneBackfills(store, null),
  );
}

export function fillingOf({ store, dags, executors, pause }: SchedulerResources): BackfillResources {
  return { store, dags, defaultExecutor: [...executors.keys()][0] ?? "", pause };
}

/** The ids are queried only if the statement for all of them fails. */
async function forAllOrEach(
  resources: SchedulerResources,
  options: SchedulerOptions,
  kind: "run" | "backfill",
  work: (ids: readonly number[] | null) => Promise<unknown>,
  listAll: () => Promise<number[]>,
): Promise<void> {
  try {
    await work(null);
  } catch (error) {
    if (!isOnesFault(error)) throw error;
    const faults = await findFaults(await listAll(), work);
    if (faults.length === 0) throw error;
    const culprits = faults.map((fault) => ({ kind, subject: String(fault.item), error: fault.error }));
    await setFaultsAside(resources, options, culprits);
  }
}
