/** Saves a DAG with a schedule as the dag-processor does, with the date of its first run. */
import { type Db, setNextRun } from "../../src/store/index.ts";
import { nextRun, restrictionOf } from "../../src/timetables/index.ts";
import { saveDagFixture, serializedDag } from "../support/dag-fixture.ts";

export type Scheduled = {
  dagId: string;
  expression: string;
  timezone?: string;
  intervals?: boolean;
  startDate: Date;
  endDate?: Date;
  catchup?: boolean;
  maxActiveRuns?: number;
  isPaused?: boolean;
  tasks?: readonly object[];
};

export async function saveScheduled(db: Db, scheduled: Scheduled): Promise<void> {
  const { expression, timezone = "UTC", intervals = false, isPaused = false, startDate, endDate, ...rest } = scheduled;
  const given = {
    catchup: true,
    maxActiveRuns: 100,
    ...rest,
    timetable: { type: "cron", expression, timezone, intervals },
    startDate: startDate.toISOString(),
    endDate: endDate?.toISOString() ?? null,
  };
  await saveDagFixture(db, given, { isPaused });
  const dag = serializedDag(given);
  const query = { last: null, restriction: restrictionOf(dag), now: new Date() };
  await setNextRun(db, dag.dagId, nextRun(dag.timetable, query));
}
