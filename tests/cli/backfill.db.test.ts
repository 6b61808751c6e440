import { afterAll, beforeAll, expect, it } from "vitest";
import { saveDagFixture } from "../support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Cli, createCli } from "./run-cli.ts";

let database: TestDatabase;
let cli: Cli;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
  const timetable = { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true };
  await saveDagFixture(database.store, { dagId: "daily", timetable }, { isPaused: true });
  await saveDagFixture(database.store, { dagId: "manual" });
}, 30_000);
afterAll(async () => {
  cli.remove();
  await database.drop();
});

const CREATE = ["backfill", "create", "--dag-id", "daily", "--from-date", "2026-01-01", "--to-date", "2026-01-03"];
type Row = { id: number; is_paused: boolean; completed_at: string | null };

it("a backfill is tried, created, listed, paused, unpaused and cancelled from the command line", async () => {
  const dry = await cli.json<{ logical_date: string }[]>(...CREATE, "--run-backwards", "--dry-run");
  expect(dry.map((row) => row.logical_date.slice(0, 10))).toEqual(["2026-01-03", "2026-01-02", "2026-01-01"]);
  expect(await cli.json("backfill", "list")).toEqual([]);

  const given = [
    "--dag-run-conf",
    '{"n": 1, "api_token": "in-the-conf"}',
    "--max-active-runs",
    "3",
    "--reprocess-behavior",
    "failed",
    "--no-run-on-latest-version",
  ];
  const created = await cli.run(...CREATE, ...given, "-o", "json");
  expect(created.stderr).toContain('DAG "daily" is paused');
  const backfill = JSON.parse(created.stdout) as Row;
  expect(backfill).toMatchObject({
    dates: 3,
    max_active_runs: 3,
    reprocess_behavior: "failed",
    dag_run_conf: { n: 1, api_token: "***" },
  });
  const { rows } = await database.store.query("select run_on_latest_version as latest, run_backwards as backwards from backfill");
  expect(rows).toEqual([{ latest: false, backwards: false }]);

  const id = String(backfill.id);
  expect(await cli.fails(4, ...CREATE)).toContain("has an active backfill");
  expect(await cli.json("backfill", "pause", id)).toMatchObject({ is_paused: true });
  expect(await cli.json("backfill", "unpause", id)).toMatchObject({ is_paused: false });
  const cancelled = await cli.json<Row>("backfill", "cancel", id);
  expect(cancelled.completed_at).not.toBeNull();
  expect(await cli.fails(4, "backfill", "cancel", id)).toContain("was completed");
  expect(await cli.json("backfill", "list", "--dag-id", "daily")).toMatchObject([
    { id: backfill.id, dag_run_conf: { api_token: "***" } },
  ]);
  expect(await cli.json("backfill", "list", "--active")).toEqual([]);
  const { rows: events } = await database.store.query("select event, dag_id from log order by id");
  expect(events.map((row) => row.event)).toEqual([
    "cli_backfill_create",
    "cli_backfill_pause",
    "cli_backfill_unpause",
    "cli_backfill_cancel",
  ]);
  expect(new Set(events.map((row) => row.dag_id))).toEqual(new Set(["daily"]));
});

it("what cannot be is refused with the exit code of its kind", async () => {
  const of = (dagId: string, from = "2026-01-01") => [
    "backfill",
    "create",
    "--dag-id",
    dagId,
    "--from-date",
    from,
    "--to-date",
    "2026-01-03",
  ];
  const [unknown, manual, reversed, date, conf, listed, changed, behavior, note] = await Promise.all([
    cli.fails(3, ...of("nope")),
    cli.fails(1, ...of("manual")),
    cli.fails(2, ...of("daily", "2026-02-01")),
    cli.fails(2, ...of("daily", "yesterday")),
    cli.fails(2, ...of("daily"), "--dag-run-conf", "[1]"),
    cli.fails(3, "backfill", "list", "--dag-id", "nope"),
    cli.fails(3, "backfill", "pause", "999"),
    cli.fails(2, ...of("daily"), "--reprocess-behavior", "all"),
    cli.fails(2, "dags", "trigger", "manual", "--note", "x".repeat(1_001)),
  ]);
  expect(unknown).toContain('no DAG "nope"');
  expect(manual).toContain("no points in time");
  expect(reversed).toBe("--from-date 2026-02-01T00:00:00.000Z is after --to-date 2026-01-03T23:59:59.999Z. Swap them.");
  expect(date).toContain('--from-date is "yesterday"');
  expect(conf).toContain("--dag-run-conf must be a JSON object");
  expect(listed).toContain('no DAG "nope"');
  expect(changed).toContain("no backfill 999");
  expect(behavior).toContain("none, completed, failed");
  expect(note).toContain("1001 characters");
});
