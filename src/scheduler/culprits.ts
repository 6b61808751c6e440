/**
 * Isolates failures. If a step fails because of one DAG run, schedule, backfill, try or callback, it is repeated in halves until
 * the one that fails by itself is found: the culprit. All others go on at once. The culprit
 * - is set aside: it stands in the table `set_aside`, so every scheduler leaves it out, also after a restart; DAG warnings, health
 *   and a metric show it;
 * - is tried by itself (`try-again.ts`), after 5 s, and then after a time that doubles with each failure up to [scheduler]
 *   full_scan_interval;
 * - returns to normal with the first trial that succeeds: trial and return are one transaction. Tries and callbacks are isolated by
 *   the checks that process them; their rows are for people only, and are removed when no check fails with them any more.
 *
 * After a lost connection, a deadlock, a full disk or a missing table, which have no culprit, the whole step is tried again.
 */
import { BaramError, toError } from "../platform/index.ts";
import {
  type AsideFacts,
  type AsideKey,
  asideFacts,
  type Db,
  isConnectionLost,
  isTimedOut,
  setAside,
  sqlState,
  statementOf,
} from "../store/index.ts";
import { isPoisoned } from "./commands/dag-cache.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

type Fault<T> = { readonly item: T; readonly error: Error };

/**
 * SQLSTATE classes of errors that one row may cause: data exceptions, constraints, limits of one statement, errors raised by a
 * trigger or a function, a damaged page.
 */
const OF_ONE = /^(21|22|23|38|39|44|54|P0|XX)/;

export function isOnesFault(error: unknown): boolean {
  if (error instanceof BaramError) return isPoisoned(error);
  if (isConnectionLost(error) || isTimedOut(error)) return false;
  const state = sqlState(error);
  return state === undefined || OF_ONE.test(state);
}

/** The search for culprits ends after this time; those not found by then are found with the next failure. */
const SEARCH_MAX_MS = 5_000;

/**
 * Runs `work` with ever smaller parts of the items, and returns those with which it fails by themselves; for all others it has
 * succeeded.
 */
export async function findFaults<T>(items: readonly T[], work: (part: readonly T[]) => Promise<unknown>): Promise<Fault<T>[]> {
  const until = performance.now() + SEARCH_MAX_MS;
  const search = async (part: readonly T[]): Promise<Fault<T>[]> => {
    const [item] = part;
    if (item === undefined || performance.now() > until) return [];
    try {
      await work(part);
      return [];
    } catch (error) {
      if (!isOnesFault(error)) throw error;
      return part.length === 1 ? [{ item, error: toError(error) }] : halves(part);
    }
  };
  const halves = async (part: readonly T[]): Promise<Fault<T>[]> => {
    const middle = Math.ceil(part.length / 2);
    return [...(await search(part.slice(0, middle))), ...(await search(part.slice(middle)))];
  };
  return halves(items);
}

/** Runs `work` with all items at once or, if some make it fail, without those: they are set aside and returned. */
export async function exceptCulprits<T>(
  resources: SchedulerResources,
  options: SchedulerOptions,
  items: readonly T[],
  keyOf: (item: T) => AsideKey,
  work: (part: readonly T[]) => Promise<unknown>,
): Promise<Fault<T>[]> {
  if (items.length === 0) return [];
  try {
    await work(items);
    return [];
  } catch (error) {
    if (!isOnesFault(error)) throw error;
  }
  const faults = await findFaults(items, work);
  await setFaultsAside(
    resources,
    options,
    faults.map(({ item, error }) => ({ ...keyOf(item), error })),
  );
  return faults;
}

/** `db`: the transaction that continues without them, if there is one. */
export async function setFaultsAside(
  resources: SchedulerResources,
  options: SchedulerOptions,
  faults: readonly (AsideKey & { readonly error: Error })[],
  db: Db = resources.store,
): Promise<void> {
  if (faults.length === 0) return;
  const culprits = faults.map(({ kind, subject, error }) => ({ kind, subject, message: reasonOf(error) }));
  const { fullScanSec, queuedTimeoutCheckSec, orphanCheckSec, silentTryCheckSec, triggerTimeoutCheckSec } = options;
  const checkSec = Math.max(queuedTimeoutCheckSec, orphanCheckSec, silentTryCheckSec, triggerTimeoutCheckSec);
  for (const { isNew, tryInSec, kind, subject, dagId, message } of await setAside(db, culprits, fullScanSec, 3 * checkSec)) {
    const facts = { dagId, kind, subject, error: message, tryInSec: Math.round(tryInSec) };
    if (isNew)
      resources.logger.error(
        facts,
        "scheduling fails because of this: it is set aside and tried again by itself; everything else goes on",
      );
    else resources.logger.warn(facts, "what is set aside has failed again");
  }
  noteAside(resources, await asideFacts(db));
}

/** Records what this scheduler now knows of what is set aside. */
export function noteAside({ aside, clock, metrics }: SchedulerResources, { count, tryInSec }: AsideFacts): void {
  aside.count = count;
  aside.tryAtMs = tryInSec === null ? Number.POSITIVE_INFINITY : clock.now() + tryInSec * 1_000;
  metrics.gauge("scheduler.set_aside", [{ labels: {}, value: count }]);
}

/** PostgreSQL's message seldom says where. */
function reasonOf(error: Error): string {
  const place = [sqlState(error) && `SQLSTATE ${sqlState(error)}`, statementOf(error) && `statement ${statementOf(error)}`];
  const where = place.filter((part) => part !== undefined).join(", ");
  return `${error.message}${where === "" || error instanceof BaramError ? "" : ` (${where})`}`.slice(0, 2_000);
}
