import { DateTime } from "luxon";
import { INSTANT_RULE, isInstantInBounds, type SerializedDag } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import type { Restriction } from "./run-instants.ts";

type Dated = { startDate: string | null; endDate: string | null };
export type Schedulable = Pick<SerializedDag, "catchup" | "timezone"> & Dated & { tasks?: readonly Dated[] };

/**
 * The bounds within which a DAG is scheduled. As in Airflow, the schedule starts at the earliest start date of the DAG and its
 * tasks. It ends at the DAG's end date, or at the latest end date of the tasks if each of them has one. An instant without an
 * offset is in the DAG's time zone. Throws `timetable_invalid` if one cannot be parsed.
 */
export function restrictionOf(dag: Schedulable): Restriction {
  const tasks = dag.tasks ?? [];
  const read = (iso: string | null) => (iso === null ? [] : [parseInstant(iso, dag.timezone)]);
  const starts = [dag.startDate, ...tasks.map((task) => task.startDate)].flatMap(read);
  const taskEnds = tasks.flatMap((task) => read(task.endDate));
  const ends = [...read(dag.endDate), ...(taskEnds.length === tasks.length ? taskEnds : [])];
  return { earliest: leastOf(starts), latest: greatestOf(ends), catchup: dag.catchup };
}

/**
 * The tasks that get no instance in a run with this logical date, since it is outside their own start and end dates (both
 * inclusive). As in Airflow, except that there a backfill creates an instance that never runs.
 */
export function tasksOutside(dag: Pick<SerializedDag, "timezone" | "tasks">, logicalDate: number): ReadonlySet<string> {
  const isBefore = (iso: string | null) => iso !== null && logicalDate < parseInstant(iso, dag.timezone);
  const isAfter = (iso: string | null) => iso !== null && logicalDate > parseInstant(iso, dag.timezone);
  return new Set(dag.tasks.filter((task) => isBefore(task.startDate) || isAfter(task.endDate)).map((task) => task.taskId));
}

function parseInstant(iso: string, timezone: string): number {
  const parsed = DateTime.fromISO(iso, { zone: timezone });
  if (!parsed.isValid)
    throw new BaramError("timetable_invalid", `"${iso}" is not an ISO 8601 instant in the zone "${timezone}"`, { iso, timezone });
  if (isInstantInBounds(parsed.toMillis())) return parsed.toMillis();
  throw new BaramError("timetable_invalid", `"${iso}" is out of bounds: ${INSTANT_RULE}`, { iso, timezone });
}

// Not Math.min(...list): 100,000 arguments would overflow the stack.
function leastOf(instants: number[]): number | null {
  return instants.reduce<number | null>((least, instant) => (least === null || instant < least ? instant : least), null);
}

function greatestOf(instants: number[]): number | null {
  return instants.reduce<number | null>(
    (greatest, instant) => (greatest === null || instant > greatest ? instant : greatest),
    null,
  );
}
