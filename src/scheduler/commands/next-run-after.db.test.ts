import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../../tests/support/database.ts";
import { createSchedulerDatabase } from "../../../tests/support/scheduler-rig.ts";
import { createDagCache, createDagRun, nextRunAfter } from "./index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createSchedulerDatabase();
});
afterAll(() => database.drop());

const cron = (intervals: boolean) => ({ type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals });
const day = (date: number) => new Date(Date.UTC(2024, 0, date));

test.each([
  ["a cron schedule", cron(false), { dataIntervalStart: day(5), dataIntervalEnd: day(5), runAfter: day(5) }, day(6)],
  ["one of data intervals", cron(true), { dataIntervalStart: day(5), dataIntervalEnd: day(6), runAfter: day(6) }, day(7)],
  ["no schedule", { type: "null" }, { runAfter: day(5) }, null],
  ["one that runs once", { type: "once" }, { runAfter: day(5) }, null],
])("the run after one of %s, whatever the DAG's end date and catchup say", async (dagId, timetable, instants, runAfter) => {
  const id = dagId.replaceAll(" ", "_");
  await saveDagFixture(database.store, { dagId: id, timetable, endDate: "2024-01-05T00:00:00Z", catchup: false });
  const request = { dagId: id, logicalDate: day(5), triggeredBy: "test" as const, ...instants };
  const { runId } = await createDagRun(database.store, createDagCache(), "LocalExecutor", request, day(9));
  expect(await nextRunAfter(database.store, createDagCache(), id, runId, day(9))).toEqual({ runAfter });
  expect(await nextRunAfter(database.store, createDagCache(), id, "other", day(9))).toBeNull();
});
