import type { SerializedDag } from "../../../contracts/index.ts";
import { findPlannedRuns, lastScheduledRun } from "../../../store/index.ts";
import { nextRuns, restrictionOf } from "../../../timetables/index.ts";
import { requireDag } from "../../find-things.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

/** Prints logical dates on stdout, one per line, and remarks on stderr. */
export function showNext(terminal: Terminal, dagId: string, { numExecutions }: { numExecutions: number }): Promise<void> {
  return withStore(terminal, async ({ store, config }) => {
    const { dag, isPaused, isStale } = await requireDag(store, dagId);
    const obstacle = whatPrevents(dag, isStale, config.scheduler.use_job_schedule);
    if (obstacle !== null) {
      terminal.note(obstacle);
      return;
    }
    const last = await lastScheduledRun(store, dagId);
    const planned = dag.timetable.type === "custom" ? await findPlannedRuns(store, dagId, null) : undefined;
    const runs = nextRuns(dag.timetable, { last, restriction: restrictionOf(dag), now: new Date(), planned }, numExecutions);
    for (const run of runs) terminal.print(run.logicalDate.toISOString());
    if (planned && runs.length > 0 && runs.length < numExecutions) {
      terminal.note(`The timetable ${dag.scheduleSummary} is planned ${runs.length} run(s) ahead; more runs are planned later.`);
    }
    if (runs.length === 0) terminal.note(whyNone(dagId, dag.timetable.type === "once", dag.endDate));
    else if (isPaused) terminal.note(`DAG "${dagId}" is paused: no run is created before "baram dags unpause ${dagId}".`);
  });
}

/** Reasons why the schedule creates no run, whatever its dates are. */
function whatPrevents(dag: SerializedDag, isStale: boolean, useJobSchedule: boolean): string | null {
  const { dagId } = dag;
  if (dag.timetable.type === "null") return `DAG "${dagId}" has no schedule: it runs only when it is triggered.`;
  if (isStale) return `DAG "${dagId}" is stale: no file defines it any more, so its schedule creates no runs.`;
  const required = Object.keys(dag.params).filter((name) => dag.params[name]?.value === undefined);
  if (required.length > 0) {
    return `DAG "${dagId}" has no default for the param ${required.join(", ")}, so its schedule can create no runs.`;
  }
  return useJobSchedule ? null : "[scheduler] use_job_schedule is off: schedules create no runs at all.";
}

function whyNone(dagId: string, isOnce: boolean, endDate: string | null): string {
  if (isOnce) return `DAG "${dagId}" runs once, and that run was created already.`;
  return `The schedule of DAG "${dagId}" has ended${endDate ? ` (its endDate is ${endDate})` : ""}.`;
}
