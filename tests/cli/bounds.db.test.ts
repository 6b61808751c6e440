/**
 * Every number, date, id and text that a command takes has the bounds that the rest of the platform has. What is out of them is refused in
 * one line that names the option and the value, as wrong usage, and nothing is written.
 */
import { type Command, CommanderError } from "commander";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-codes.ts";
import { readConf } from "../../src/cli/find-things.ts";
import { createProgram } from "../../src/cli/program.ts";
import { BaramError } from "../../src/platform/index.ts";
import { saveDagFixture } from "../support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const timetable = { type: "cron" as const, expression: "0 0 * * *", timezone: "UTC", intervals: false };
  await saveDagFixture(database.store, { dagId: "d", timetable, startDate: "2026-01-01T00:00:00Z" });
  const { user, password, host, port, database: name } = database.address;
  const where = `host=${encodeURIComponent(host)}&port=${port}`;
  vi.stubEnv("BARAM__DATABASE__URL", `postgres://${user}:${encodeURIComponent(password)}@/${name}?${where}`);
  vi.stubEnv("BARAM__CORE__ENCRYPTION_KEY", Buffer.alloc(32, 7).toString("base64"));
  vi.stubEnv("BARAM_HOME", "/nonexistent/baram");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await database.drop();
});

const LONG = "x".repeat(1_000);
const YEARS = "years 1900 to 9999";
const trigger = (...more: string[]) => ["dags", "trigger", "d", ...more];
const backfill = (from: string, to: string, ...more: string[]) => [
  "backfill",
  "create",
  "--dag-id",
  "d",
  "--from-date",
  from,
  "--to-date",
  to,
  ...more,
];
const connection = (...more: string[]) => ["connections", "add", "c", ...more];

/** The command, and what the line must say. */
const REFUSED: readonly (readonly [readonly string[], ...(string | RegExp)[]])[] = [
  [trigger("--run-id", LONG), "--run-id", "1 to 250", /"x{100}…" \(1000 characters\)/],
  [trigger("--run-id", ""), '--run-id ""'],
  [trigger("--run-id", "a b"), '--run-id "a b"'],
  [trigger("--run-id", ".."), '--run-id ".."'],
  [trigger("--run-id", "scheduled__2026-01-01T00:00:00+00:00"), "scheduled__", "kept for runs that the platform creates"],
  [trigger("--conf", "[1]"), "--conf must be a JSON object", "[1]"],
  [trigger("--conf", "null"), "--conf must be a JSON object"],
  [trigger("--conf", ""), "--conf is not JSON"],
  [trigger("--conf", '{"a": {"b": 1e999}}'), "--conf holds a number in", '"a.b"', "too large"],
  [trigger("--conf", '{"a": "\\u0000"}'), "--conf", "U+0000"],
  [trigger("--conf", '{"a": "\\ud800"}'), "--conf", "half of a surrogate pair"],
  [trigger("--note", LONG + LONG), "--note has 2000 characters", "1000"],
  [trigger("-e", "0001-01-01"), '--logical-date is "0001-01-01"', YEARS],
  [trigger("-e", "1899-12-30"), '--logical-date is "1899-12-30"', YEARS],
  [trigger("-e", "1899-12-31T23:00"), "1899-12-31T23:00:00.000Z", YEARS],
  [trigger("-e", "275760-01-01"), '--logical-date is "275760-01-01"', "2026-01-31"],
  [trigger("-e", "2026-02-30"), '--logical-date is "2026-02-30"'],
  [trigger("-e", ""), '--logical-date is ""'],
  [trigger("-e", LONG), "--logical-date is", "(1000 characters)"],
  [backfill("0001-01-01", "2026-01-31"), '--from-date is "0001-01-01"', YEARS],
  [backfill("2026-01-01", "tomorrow"), '--to-date is "tomorrow"'],
  [backfill("2026-02-01", "2026-01-01"), "--from-date 2026-02-01T00:00:00.000Z is after --to-date"],
  [backfill("1900-01-01", "9999-12-31"), "more than 20000 dates"],
  [backfill("2026-01-01", "2026-01-02", "--max-active-runs", "0"), "--max-active-runs", "'0'", "1 to 1000000000"],
  [backfill("2026-01-01", "2026-01-02", "--max-active-runs", "99999999999"), "--max-active-runs", "'99999999999'"],
  [backfill("2026-01-01", "2026-01-02", "--dag-run-conf", '{"a": "\\u0000"}'), "--dag-run-conf", "U+0000"],
  [["backfill", "pause", "x"], "backfill-id", "'x'"],
  [["backfill", "cancel", "99999999999999999999"], "backfill-id"],
  [["backfill", "list", "--limit", "0"], "--limit", "'0'", "1 to 100000"],
  [["tasks", "clear", "d", "-s", "0001-01-01", "-y"], '--start-date is "0001-01-01"', YEARS],
  [["tasks", "clear", "d", "-e", "x", "-y"], '--end-date is "x"'],
  [
    ["tasks", "clear", "d", "-s", "2026-02-01", "-e", "2026-01-01", "-y"],
    "--end-date 2026-01-01T23:59:59.999Z is before --start-date",
  ],
  [["dags", "clear", "d", "-s", "2026-02-01", "-e", "2026-01-01", "-y"], "is before --start-date"],
  [["tasks", "clear", "d", "-t", "", "-y"], "--task-regex is empty"],
  [["dags", "test", "d", "0001-01-01"], 'The logical date is "0001-01-01"', YEARS],
  [["dags", "list-runs", "d", "--limit", "1e3"], "--limit", "'1e3'"],
  [["dags", "next-execution", "d", "-n", "0"], "--num-executions", "'0'", "1 to 10000"],
  ...["3000000000", "-2", "1e3", "0x10", "1.5", "", " 1", "Infinity"].map(
    (slots) => [["pools", "set", "p", slots], "slots", `'${slots}'`, "-1 to 2147483647"] as const,
  ),
  [["pools", "set", LONG, "1"], "The pool's name", "(1000 characters)"],
  [["pools", "set", "p", "1", "x".repeat(5_001)], "The description has 5001 characters", "5000"],
  [connection("--conn-type", "x", "--conn-port", "0"), "--conn-port", "'0'", "1 to 65535"],
  [connection("--conn-uri", "postgres://h:99999/x"), "port 99999", "1 to 65535"],
  [connection("--conn-json", '{"conn_type": "x", "port": "abc"}'), 'port "abc"'],
  [connection("--conn-json", '{"conn_type": "x", "port": true}'), "port true"],
  [connection("--conn-json", '{"conn_type": "x", "host": "\\u0000"}'), "host", "U+0000"],
  [connection("--conn-type", "x".repeat(501)), "The connection's type has 501 characters", "1 to 500"],
  [connection("--conn-type", "x", "--conn-description", "x".repeat(10_001)), "The connection's description has 10001 characters"],
  [["connections", "add", LONG, "--conn-type", "x"], "The connection id has 1000 characters", "1 to 200"],
  [["variables", "set", LONG, "x"], "The variable's key has 1000 characters", "1 to 250"],
  [["variables", "set", "", "x"], "The variable's key has 0 characters"],
  [["variables", "set", "k", "x", "--description", "x".repeat(5_001)], "--description has 5001 characters"],
  [["variables", "set", "k", "[1, 1e999]", "--json"], "1e999", "JSON"],
  [["jobs", "check", "--limit", "-1"], "--limit", "'-1'"],
  [["tasks", "render", "d", "t", "r", "--map-index", "-1"], "--map-index", "'-1'"],
  ...["65536", "-1", "1e3", ""].flatMap((port) =>
    ["standalone", "api-server", "monitor"].map((role) => [[role, "--port", port], "--port", `'${port}'`, "0 to 65535"] as const),
  ),
  ...["standalone", "api-server", "monitor"].map((role) => [[role, "--host", ""], "--host", "must not be empty"] as const),
  [["triggerer", "--capacity", "0"], "--capacity", "'0'"],
  [["worker", "start", "-c", "10001"], "--concurrency", "'10001'", "1 to 10000"],
  [["worker", "start", "--autoscale", "1,2"], "--autoscale", '"1,2"'],
  [["worker", "start", "--name", LONG], "The worker's name", "200 at most"],
  [["worker", "start", "--queues", " "], "at least one queue"],
  [["worker", "token", "--name", "w", "--days", "1e9"], "--days", "'1e9'", "1 to 3650"],
  [["help", "nope"], "unknown command 'nope'"],
  [["help", "dgas"], "unknown command 'dgas'", "Did you mean dags?"],
  [["help", "dags", "triger"], "unknown command 'triger'", "Did you mean trigger?"],
  [["dags", "help", "triger"], "unknown command 'triger'", "Did you mean trigger?"],
  [["help", "dags", "list", "x"], "'list' has no commands"],
  [["dags", "nope"], "unknown command 'nope'"],
  [["dags", "triger"], "unknown command 'triger'", "Did you mean trigger?"],
];

/** The exit code and the message, as `main.ts` would give them. */
async function run(args: readonly string[]): Promise<{ code: number; message: string }> {
  const { program } = createProgram();
  const silence = (command: Command) => {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
    for (const one of command.commands) silence(one);
  };
  silence(program);
  try {
    await program.parseAsync([...args], { from: "user" });
    return { code: 0, message: "" };
  } catch (error) {
    if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : 2, message: error.message };
    return { code: exitCodeOf(error instanceof BaramError ? error.code : undefined), message: (error as Error).message };
  }
}

async function everything(): Promise<unknown> {
  const tables = ["dag_run", "task_instance", "backfill", "slot_pool", "connection", "variable", "log"];
  const counts = tables.map((table) => `(select count(*)::int from ${table}) as ${table}`);
  return (await database.store.query(`select ${counts.join(", ")}`)).rows;
}

it.each(REFUSED.map(([args, ...said]) => ({ args, said, shown: args.join(" ").slice(0, 80) })))(
  "baram $shown",
  async ({ args, said }) => {
    const before = await everything();
    const { code, message } = await run(args);
    expect(code, message).toBe(2);
    for (const part of said) typeof part === "string" ? expect(message).toContain(part) : expect(message).toMatch(part);
    expect(message.length).toBeLessThan(600);
    // A suggestion stands on a line of its own.
    expect(message.split("\n").length).toBeLessThanOrEqual(2);
    expect(await everything()).toEqual(before);
  },
);

it("a conf has the size that a request to the API may have", () => {
  const text = JSON.stringify({ data: "x".repeat(20_000_000) });
  expect(() => readConf(text)).toThrow(/^--conf has 20000011 bytes, but may have 1048576\. Put the data elsewhere/);
});

it.each([
  ["BARAM__SCHEDULER__SCHEDULER_HEARTBEAT_SEC", "1e99", "at most 100 years"],
  ["BARAM__CORE__PARALLELISM", "1e99", "at most"],
  ["BARAM__CORE__PARALLELISM", "-1", "at least"],
  ["BARAM__CORE__PARALLELISM", "1.5", "a whole number"],
  ["BARAM__API__PORT", "65536", "at most 65535"],
  ["BARAM__API__PORT", "NaN", "a number"],
])("%s=%s names the option, the value and the bound", async (name, value, bound) => {
  vi.stubEnv(name, value);
  const { code, message } = await run(["config", "list"]);
  vi.stubEnv(name, undefined);
  expect({ code, message }).toEqual({ code: 1, message: expect.stringContaining(`${name} is "${value}", but must be ${bound}`) });
});

it("dates are read as Airflow's users write them by every command that takes one, and said back in full", async () => {
  const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const err = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const saidBy = async (args: string[]) => {
    out.mockClear();
    err.mockClear();
    const { code, message } = await run(args);
    return { code, said: [...out.mock.calls, ...err.mock.calls].map(([text]) => String(text)).join("") + message };
  };
  try {
    const instant = "2026-01-05T10:00:00.000Z";
    for (const text of [
      "2026-01-05 10:00:00+00:00",
      "2026-01-05 10:00:00 00:00",
      "2026-01-05T19:00:00+0900",
      "2026-01-05T10:00:00Z",
    ]) {
      const runId = `r${text.replaceAll(/[^\w]/g, "_")}`;
      const said = async (code: number, what: string | RegExp, ...args: string[]) =>
        expect(await saidBy(args), args.join(" ")).toEqual({ code, said: expect.stringMatching(what) });
      await said(3, `which is ${instant}`, "dags", "state", "d", text);
      await said(3, `which is ${instant}`, "tasks", "states-for-dag-run", "d", text);
      await said(3, `which is ${instant}`, "tasks", "render", "d", "extract", text);
      await said(0, instant, ...trigger("-e", text, "-r", runId));
      await said(0, "queued", "dags", "state", "d", text);
      await said(0, instant, "tasks", "states-for-dag-run", "d", text);
      for (const group of ["dags", "tasks"])
        await said(0, `from ${instant} to ${instant}:`, group, "clear", "d", "-s", text, "-e", text, "--dry-run");
      await said(0, "2026-01-06T00:00:00.000Z", ...backfill(text, "2026-01-06 10:00:00+00:00", "--dry-run"));
      await database.store.query("delete from dag_run where run_id = $1", [runId]);
    }
    const day = await saidBy(["tasks", "clear", "d", "-e", "2026-01-05", "--dry-run"]);
    expect(day).toMatchObject({ code: 0, said: expect.stringContaining("to 2026-01-05T23:59:59.999Z:") });
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
});

it("an empty argument or option of a command that changes something chooses nothing", async () => {
  const count = async () => {
    const text = `select (select count(*) from dag where is_paused)::int as paused, (select count(*) from dag)::int as dags,
      (select count(*) from dag_run)::int as runs, (select count(*) from log)::int as lines, (select count(*) from slot_pool)::int as pools`;
    return (await database.store.query(text)).rows[0];
  };
  const before = await count();
  for (const args of [
    ["dags", "pause", ""],
    ["dags", "pause", "d", ""],
    ["dags", "pause", "--treat-dag-id-as-regex", ""],
    ["dags", "unpause", "--treat-dag-id-as-regex", ""],
    ["dags", "delete", "", "-y"],
    ["dags", "trigger", ""],
    ["dags", "clear", "", "-y"],
    ["dags", "clear", "d", "--run-id", "", "-y"],
    ["tasks", "clear", "", "-y"],
    ["tasks", "clear", "d", "--run-id", "", "-y"],
    ["tasks", "clear", "d", "-t", "", "-y"],
    ["tasks", "clear", "d", "-t", " ", "-y"],
    ["tasks", "clear", "d", "-t", ",", "-y"],
    ["tasks", "clear", "d", "-s", "", "-y"],
    ["tasks", "clear", "d", "-e", "", "-y"],
    ["backfill", "create", "--dag-id", "", "--from-date", "2026-01-01", "--to-date", "2026-01-02"],
    ["backfill", "cancel", ""],
    ["connections", "delete", ""],
    ["connections", "add", "", "--conn-type", "http"],
    ["connections", "add", "c", "--conn-type", ""],
    ["variables", "delete", ""],
    ["pools", "set", "", "1"],
    ["pools", "delete", ""],
    ["worker", "stop", ""],
    ["worker", "add-queue", "", "q"],
    ["worker", "remove-queue", "w", ""],
    ["users", "delete", ""],
    ["users", "set-role", "", "-r", "op"],
  ])
    expect(await run(args), args.join(" ")).toMatchObject({ code: expect.toSatisfy((code: number) => code > 0) });
  expect(await count()).toEqual(before);
});

it("what lies just inside the bounds is taken", async () => {
  expect(await run(["variables", "set", "x".repeat(250), "x"])).toMatchObject({ code: 0 });
  expect(await run(trigger("--run-id", "x".repeat(250), "-e", "1900-01-01"))).toMatchObject({ code: 0 });
  expect(await run(["pools", "set", "p", "2147483647"])).toMatchObject({ code: 0 });
  expect(await run(["pools", "set", "p", "-1"])).toMatchObject({ code: 0 });
});
