import { BaramError } from "../../../platform/index.ts";
import { type BackfillDate, findDag, holdDag, insertBackfill, type NewBackfill, runStatesOfDates } from "../../../store/index.ts";
import { endOfSpanAt, instantAt, isPeriodic } from "../../../timetables/index.ts";
import type { Graph } from "../../core/graph.ts";
import { checkConf } from "../check-conf.ts";
import { checkInstant } from "../check-instant.ts";
import { backfillDates } from "./backfill-dates.ts";
import { type BackfillResources, fillBackfill } from "./fill-backfill.ts";
import { reasonToLeave } from "./judge-date.ts";

export type { BackfillResources };

/**
 * What a backfill is asked for with. Text is as a person writes it: without an offset it is local time of the DAG's zone, and a bare
 * date as `toDate` means that whole day.
 */
export type BackfillRequest = Omit<NewBackfill, "fromDate" | "toDate"> & { fromDate: Date | string; toDate: Date | string };

/** Dates that are filled before the answer; further ones are left to the schedulers' check. */
const FILLED_AT_ONCE = 1_000;

/**
 * Creates a backfill and its runs, and returns its id. Throws `dag_not_found`, `dag_stale`, `backfill_running` when the DAG
 * has an active one, `backfill_impossible`, `instant_invalid`, `instant_out_of_bounds`, `conf_invalid` and `too_many_runs`.
 */
export async function createBackfill(resources: BackfillResources, request: BackfillRequest, now: Date): Promise<number> {
  const id = await openBackfill(resources, request, now);
  await fillBackfill(resources, id, { now, datesMax: FILLED_AT_ONCE });
  return id;
}

/** The backfill with all its dates, none of them filled yet: from here on a crash of this process loses nothing. */
export async function openBackfill(resources: BackfillResources, request: BackfillRequest, now: Date): Promise<number> {
  const { dagId } = request;
  const { backfill, dates } = await planBackfill(resources, request, now);
  if (backfill.runBackwards) dates.reverse();
  const id = await resources.store.transaction(async (tx) => {
    await holdDag(tx, dagId);
    return insertBackfill(tx, backfill, dates);
  });
  if (id !== null) return id;
  throw new BaramError(
    "backfill_running",
    `DAG "${dagId}" has an active backfill, and there can be one at a time. Wait for its end, or cancel it: "baram backfill list --dag-id ${dagId}".`,
    { dagId },
  );
}

/** A dry run: the dates that would get a run or have theirs processed again, in their order. Throws as `createBackfill`. */
export async function tryBackfill(resources: BackfillResources, request: BackfillRequest, now: Date): Promise<BackfillDate[]> {
  const { dates } = await planBackfill(resources, request, now);
  const known = await runStatesOfDates(
    resources.store,
    request.dagId,
    dates.map((date) => date.logicalDate),
  );
  const states = new Map(known.map((run) => [run.logicalDate.getTime(), run.state]));
  const wanted = dates.filter(({ logicalDate }) => {
    const state = states.get(logicalDate.getTime());
    return state === undefined || reasonToLeave(state, request.reprocessBehavior) === null;
  });
  return request.runBackwards ? wanted.reverse() : wanted;
}

async function planBackfill(
  { store, dags }: BackfillResources,
  request: BackfillRequest,
  now: Date,
): Promise<{ backfill: NewBackfill; dates: BackfillDate[] }> {
  const { dagId } = request;
  const facts = await findDag(store, dagId);
  if (!facts?.versionId)
    throw new BaramError("dag_not_found", `There is no DAG "${dagId}". See "baram dags list" for the ones there are.`, { dagId });
  if (facts.isStale)
    throw new BaramError(
      "dag_stale",
      `DAG "${dagId}" is no longer in its file ${facts.filename}, so it cannot be run. Put it back, or backfill another DAG.`,
      { dagId },
    );
  const { graph } = await dags.get(store, facts.versionId);
  const { timetable, timezone } = graph.dag;
  const [fromDate, toDate] = [instantAt(request.fromDate, timezone), endOfSpanAt(request.toDate, timezone)];
  const backfill = { ...request, fromDate, toDate };
  checkRequest(graph, backfill, now);
  const dates = await backfillDates({ dagId, timetable, from: fromDate, to: toDate }, now);
  if (dates.length > 0) return { backfill, dates };
  throw impossible(
    dagId,
    `The schedule of DAG "${dagId}" has no date from ${fromDate.toISOString()} to ${toDate.toISOString()} whose data interval has ended. Widen the span.`,
  );
}

/** The refusals are Airflow's. */
function checkRequest({ dag, needsPast }: Graph, request: NewBackfill, now: Date): void {
  const { dagId, fromDate, toDate } = request;
  if (!isPeriodic(dag.timetable.type))
    throw impossible(
      dagId,
      `DAG "${dagId}" has the schedule ${dag.scheduleSummary ?? "null"}, which names no points in time to fill in. Trigger runs instead.`,
    );
  checkInstant(dagId, "from_date", fromDate);
  checkInstant(dagId, "to_date", toDate);
  if (fromDate > toDate)
    throw impossible(dagId, `from_date ${fromDate.toISOString()} is after to_date ${toDate.toISOString()}. Swap them.`);
  if (fromDate >= now)
    throw impossible(dagId, `from_date ${fromDate.toISOString()} lies in the future: a backfill is for dates that have passed.`);
  const past = [...needsPast].flatMap((task) => dag.tasks[task]?.taskId ?? [])[0];
  if (past !== undefined && request.runBackwards)
    throw impossible(
      dagId,
      `Task "${past}" of DAG "${dagId}" depends on its past, so the runs cannot be made backwards. Leave run_backwards out.`,
    );
  if (past !== undefined && request.reprocessBehavior === "none")
    throw impossible(
      dagId,
      `Task "${past}" of DAG "${dagId}" depends on its past: with reprocess_behavior "none" it would wait on runs that are left as they are. Choose "failed" or "completed".`,
    );
  checkConf(dag, request.dagRunConf ?? {});
}

function impossible(dagId: string, message: string): BaramError {
  return new BaramError("backfill_impossible", message, { dagId });
}
