import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { createTestApi } from "../support/public-api.ts";
import { type Cli, createCli } from "./run-cli.ts";

const SCHEDULES = `
import { cron, crons, dag, delta, events, Timetable } from "baram";
class Yearly extends Timetable {
  nextRun(last, { earliest }) {
    return last ? new Date(Date.UTC(last.logicalDate.getUTCFullYear() + 1, 0, 1)) : earliest;
  }
}
const startDate = "2100-01-01";
const define = (dagId, schedule, options = {}) => dag({ dagId, schedule, startDate, catchup: true, ...options }, () => {});
define("cron", "0 6 * * *");
define("crons", crons(["0 6 * * *", "0 18 * * 5", "0 6 1 * *"]));
define("intervals", cron("0 6 * * *", { intervals: true }));
define("delta", delta("36h"));
define("events", events(["2100-03-01T09:00", "2100-02-01T09:00"]));
define("custom", new Yearly(), { endDate: "2102-06-01" });
define("once", "@once");
define("continuous", "@continuous");
define("never", null);
`;
/** Logical dates of the first runs. */
const NEXT: Record<string, string[]> = {
  cron: ["2100-01-01T06:00", "2100-01-02T06:00", "2100-01-03T06:00"],
  crons: ["2100-01-01T06:00", "2100-01-01T18:00", "2100-01-02T06:00"],
  intervals: ["2100-01-01T06:00", "2100-01-02T06:00", "2100-01-03T06:00"],
  delta: ["2100-01-01T00:00", "2100-01-02T12:00", "2100-01-04T00:00"],
  events: ["2100-02-01T09:00", "2100-03-01T09:00"],
  custom: ["2100-01-01T00:00", "2101-01-01T00:00", "2102-01-01T00:00"],
  once: ["2100-01-01T00:00"],
};

let database: TestDatabase;
let cli: Cli;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
  cli.writeDag("schedules.ts", SCHEDULES);
  expect(await cli.json("dags", "reserialize")).toEqual({ files: 1, failed: 0 });
}, 30_000);
afterAll(async () => {
  cli.remove();
  await database.drop();
});

it("next-execution and the API tell the next runs of every kind of schedule", async () => {
  const api = await createTestApi(database.store);
  for (const [dagId, dates] of Object.entries(NEXT)) {
    const { stdout } = await cli.run("dags", "next-execution", dagId, "-n", "3");
    const shown = stdout.trim().split("\n");
    expect([dagId, shown]).toEqual([dagId, dates.map((date) => `${date}:00.000Z`)]);
    const { json } = await api.ask("GET", `/api/v2/dags/${dagId}`);
    const due = dagId === "intervals" ? `${dates[1]}:00.000Z` : shown[0];
    expect(json, dagId).toMatchObject({
      next_dagrun_logical_date: shown[0],
      next_dagrun_data_interval_start: shown[0],
      next_dagrun_data_interval_end: due,
      next_dagrun_run_after: due,
    });
  }
  const { json: never } = await api.ask("GET", "/api/v2/dags/never");
  expect(never).toMatchObject({ next_dagrun_logical_date: null, next_dagrun_run_after: null });
  const { json: custom } = await api.ask("GET", "/api/v2/dags/custom");
  expect(custom).toMatchObject({ timetable_summary: "Yearly", timetable_description: "Timetable Yearly of the DAG file" });
  expect((await cli.run("dags", "next-execution", "continuous")).stdout).toContain("2100-01-01T00:00:00.000Z");
}, 30_000);

it("a run for a date to come is refused with the option's name, and waits where the option allows it", async () => {
  const date = "2100-01-01T00:00:00.000Z";
  expect(await cli.fails(2, "dags", "trigger", "never", "-e", date)).toContain("[scheduler] allow_trigger_in_future");
  const allowing = { BARAM__SCHEDULER__ALLOW_TRIGGER_IN_FUTURE: "true" };
  const run = await cli.runWith(allowing, "dags", "trigger", "never", "--exec-date", date, "-o", "json");
  expect(run.stderr).toContain(`stays queued until ${date}`);
  expect(JSON.parse(run.stdout)).toMatchObject({ state: "queued", logical_date: date, run_after: date });

  const trigger = async (allowTriggerInFuture: boolean, body: object) => {
    const api = await createTestApi(database.store, { options: { allowTriggerInFuture } });
    return api.ask("POST", "/api/v2/dags/once/dagRuns", { body, as: "user" });
  };
  const refused = await trigger(false, { logical_date: date });
  expect(refused.status).toBe(400);
  expect(refused.text).toContain("allow_trigger_in_future");
  const taken = await trigger(true, { logical_date: date, run_after: "2026-01-01T00:00:00Z" });
  expect(taken.status).toBe(200);
  expect(taken.json, "the later of the two").toMatchObject({ state: "queued", run_after: date });
}, 30_000);
