import {
  INSTANT_RULE,
  isInstantInBounds,
  PLANNED_RUNS_MAX,
  type PlannedRun,
  type PlanSeed,
  type TimetablePlan,
} from "../../contracts/index.ts";
import type { DagDefinition } from "../dag/dag-definition.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import type { LastTimetableRun, Timetable, TimetableRestriction, TimetableRun } from "./timetable.ts";

/** Limit of calls from the last run to now if past runs are skipped: about a year of hourly runs, a week of runs every minute. */
const STEPS_MAX = 10_000;
/** Time limit for a slow class. The runs that it returned until then are the plan; it is called again when few are left. */
const BUDGET_MS = 2_000;

/**
 * Calls a DAG's own timetable for its next runs: with catchup, from the last run on; otherwise the last two runs that are due and
 * the future ones. Instants are epoch milliseconds. A class that never returns is ended with its process.
 * @throws DagDefinitionError INVALID_SCHEDULE if a returned value cannot be used, and whatever the class throws.
 */
export function planTimetable(
  dag: DagDefinition,
  timetable: Timetable,
  seed: PlanSeed | null,
  now: number,
  elapsedMs: () => number = () => performance.now(),
): TimetablePlan {
  const restriction = restrictionFor(dag);
  const { catchup } = dag.facts;
  // As numbers, since the class could change the Dates that it receives.
  const earliest = restriction.earliest?.getTime() ?? Number.NEGATIVE_INFINITY;
  const latest = restriction.latest?.getTime() ?? Number.POSITIVE_INFINITY;
  const startedMs = elapsedMs();
  const due: PlannedRun[] = [];
  const runs: PlannedRun[] = [];
  const finish = (hasEnded: boolean): TimetablePlan => {
    const all = [...due.slice(-2), ...runs];
    return { runs: all.map((run) => ({ ...run, manualInterval: manualIntervalOf(dag, timetable, run) })), hasEnded };
  };
  let last = startOf(seed, catchup);
  for (let step = 0; step < STEPS_MAX && runs.length < PLANNED_RUNS_MAX; step++) {
    if (step > 0 && elapsedMs() - startedMs > BUDGET_MS) break;
    const answer: unknown = timetable.nextRun(last && lastRunOf(last), restriction);
    const run = readRun(`DAG "${dag.dagId}": nextRun() of ${timetable.constructor.name}`, answer, last);
    if (run === null || run.logicalDate > latest) return finish(true);
    last = run;
    if (run.logicalDate < earliest) continue;
    if (!catchup && run.runAfter <= now) due.push(run);
    else runs.push(run);
  }
  if (due.length + runs.length > 0 || last === null) return finish(false);
  throw refuse(
    `DAG "${dag.dagId}": ${timetable.constructor.name} got no further than ${new Date(last.logicalDate).toISOString()} on its way to the startDate ${restriction.earliest?.toISOString()}; let nextRun(null, …) begin with restriction.earliest`,
  );
}

function startOf(seed: PlanSeed | null, catchup: boolean): PlannedRun | null {
  const { last = null, passed = null } = seed ?? {};
  const isPassedLater = passed !== null && (last === null || passed.logicalDate > last.logicalDate);
  const start = !catchup && isPassedLater ? passed : last;
  return start && { ...start, manualInterval: null };
}

/** Computed from the dates of the DAG and its tasks, as in the scheduler. */
function restrictionFor({ facts }: DagDefinition): TimetableRestriction {
  const tasks = [...facts.nodes.values()].map((node) => node.settings);
  const read = (iso: string | null) => (iso === null ? [] : [Date.parse(iso)]);
  const starts = [facts.startDate, ...tasks.map((task) => task.startDate)].flatMap(read);
  const taskEnds = tasks.flatMap((task) => read(task.endDate));
  const ends = [...read(facts.endDate), ...(taskEnds.length === tasks.length ? taskEnds : [])];
  const earliest = starts.reduce((least, start) => Math.min(least, start), Number.POSITIVE_INFINITY);
  const latest = ends.reduce((most, end) => Math.max(most, end), Number.NEGATIVE_INFINITY);
  return {
    earliest: starts.length === 0 ? null : new Date(earliest),
    latest: ends.length === 0 ? null : new Date(latest),
    catchup: facts.catchup,
  };
}

function lastRunOf(run: PlannedRun): LastTimetableRun {
  const [start, end] = run.dataInterval;
  return {
    logicalDate: new Date(run.logicalDate),
    dataIntervalStart: new Date(start),
    dataIntervalEnd: new Date(end),
    runAfter: new Date(run.runAfter),
  };
}

function readRun(where: string, answer: unknown, last: PlannedRun | null): PlannedRun | null {
  if (answer === null) return null;
  const isDate = answer instanceof Date;
  if (!isDate && (typeof answer !== "object" || answer instanceof Promise)) {
    const what = answer instanceof Promise ? "a Promise: it must not be async" : showValue(answer);
    throw refuse(`${where} returned ${what}; it must be a Date, { dataIntervalStart, dataIntervalEnd } or null`);
  }
  const given: Partial<TimetableRun> = isDate ? { dataIntervalStart: answer, dataIntervalEnd: answer } : (answer ?? {});
  const dataInterval = readInterval(where, given);
  const logicalDate = given.logicalDate === undefined ? dataInterval[0] : readDate(where, "logicalDate", given.logicalDate);
  const runAfter = given.runAfter === undefined ? dataInterval[1] : readDate(where, "runAfter", given.runAfter);
  if (last && logicalDate <= last.logicalDate) {
    throw refuse(
      `${where} went back: the run after ${new Date(last.logicalDate).toISOString()} cannot be ${new Date(logicalDate).toISOString()}; its logical date must be later`,
    );
  }
  if (last && runAfter < last.runAfter) {
    throw refuse(
      `${where} went back: a run due at ${new Date(runAfter).toISOString()} cannot follow one due at ${new Date(last.runAfter).toISOString()}`,
    );
  }
  return { logicalDate, dataInterval, runAfter, manualInterval: null };
}

function manualIntervalOf(dag: DagDefinition, timetable: Timetable, run: PlannedRun): PlannedRun["manualInterval"] {
  if (!timetable.inferManualDataInterval) return null;
  const where = `DAG "${dag.dagId}": inferManualDataInterval() of ${timetable.constructor.name}`;
  const answer: unknown = timetable.inferManualDataInterval(new Date(run.runAfter));
  if (typeof answer !== "object" || answer === null) {
    throw refuse(`${where} returned ${showValue(answer)}; it must be { dataIntervalStart, dataIntervalEnd }`);
  }
  return readInterval(where, answer);
}

function readInterval(where: string, given: Partial<TimetableRun>): [number, number] {
  const start = readDate(where, "dataIntervalStart", given.dataIntervalStart);
  const end = readDate(where, "dataIntervalEnd", given.dataIntervalEnd);
  if (start > end) {
    throw refuse(`${where} returned an interval that ends (${new Date(end).toISOString()}) before it starts`);
  }
  return [start, end];
}

function readDate(where: string, name: string, value: unknown): number {
  const instant = value instanceof Date ? value.getTime() : Number.NaN;
  if (isInstantInBounds(instant)) return instant;
  const shown = value instanceof Date ? (Number.isNaN(instant) ? "an invalid Date" : value.toISOString()) : showValue(value);
  throw refuse(`${where} returned ${name} = ${shown}; it must be a Date: ${INSTANT_RULE}`);
}

function refuse(message: string): DagDefinitionError {
  return new DagDefinitionError("INVALID_SCHEDULE", message);
}
