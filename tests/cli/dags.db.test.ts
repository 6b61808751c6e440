import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { saveDagFixture } from "../support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Cli, createCli } from "./run-cli.ts";

const HELLO = `
import { dag, param, task } from "baram";
import { BashOperator } from "baram/operators";
console.log("not a part of a command's data");
export default dag(
  { dagId: "hello", schedule: "@daily", startDate: "2026-01-01", tags: ["demo"], params: { name: param("Ada", { schema: { type: "string" } }) } },
  () => {
    const extract = task({ taskId: "extract", pool: "narrow" }, async () => [1, 2]);
    const load = task({ taskId: "load" }, async (_ctx, rows: number[]) => rows.length);
    const say = new BashOperator({ taskId: "say", bashCommand: "echo {{ params.name }} {{ ds }} {{ var.value.token_of_day }}" });
    load(extract()).before(say);
  },
);
export const other = dag({ dagId: "other", schedule: null }, () => { task({ taskId: "only" }, async () => 1)(); });
`;
type RunRow = { run_id: string; state: string; conf: unknown };

let database: TestDatabase;
let cli: Cli;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
  cli.writeDag("hello.ts", HELLO);
}, 30_000);
afterAll(async () => {
  cli.remove();
  await database.drop();
});

describe("DAG files", () => {
  it("are read by reserialize, and a broken one is listed with its line", async () => {
    cli.writeDag("broken.ts", 'import "baram";\n\nthrow new Error("no such table");\n');
    expect(await cli.run("dags", "reserialize", "-o", "json")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('"failed": 1'),
    });
    const errors = await cli.run("dags", "list-import-errors", "-o", "json");
    expect(errors.code).toBe(1);
    expect(JSON.parse(errors.stdout)).toMatchObject([
      { filepath: "broken.ts", line: 3, kind: "threw", error: "Error: no such table" },
    ]);
    const list = await cli.run("dags", "list", "-o", "json");
    expect(JSON.parse(list.stdout)).toMatchObject([
      { dag_id: "hello", fileloc: "hello.ts", owners: ["baram"], is_paused: true },
      { dag_id: "other", is_paused: true },
    ]);
    expect(list.stderr).toContain("list-import-errors");
    cli.writeDag("broken.ts", "export {};\n");
    expect(await cli.json("dags", "reserialize")).toEqual({ files: 2, failed: 0 });
    expect(await cli.json("dags", "list-import-errors")).toEqual([]);
  });

  it("warn of a task in a pool that does not exist, until it does", async () => {
    // Normally created by the first role that starts, or by the first command that needs one.
    for (const pool of ["default_pool", "narrow"]) await cli.run("pools", "set", pool, "8", "for a test");
    expect(await cli.json("dags", "list-warnings")).toEqual([]);
    cli.writeDag(
      "broken.ts",
      'import { dag, task } from "baram";\n\nexport default dag({ dagId: "waits" }, () => {\n  task({ taskId: "t", pool: "zoo" }, async () => {})();\n});\n',
    );
    expect(await cli.json("dags", "reserialize")).toEqual({ files: 2, failed: 0 });
    expect(await cli.json("dags", "list-warnings")).toMatchObject([
      { dag_id: "waits", warning_type: "non-existent pool", message: expect.stringContaining("zoo") },
    ]);
    await cli.run("pools", "set", "zoo", "1", "for a test");
    expect(await cli.json("dags", "list-warnings")).toEqual([]);
    await cli.run("pools", "delete", "zoo");
    cli.writeDag("broken.ts", "export {};\n");
    await cli.run("dags", "reserialize");
  });

  it("give details, tasks and a tree", async () => {
    expect(await cli.json("dags", "details", "hello")).toMatchObject({
      dag_id: "hello",
      timetable_summary: "@daily",
      task_ids: ["extract", "load", "say"],
      params: { name: { value: "Ada" } },
    });
    expect(await cli.json("tasks", "list", "hello")).toMatchObject([
      { task_id: "extract", pool: "narrow" },
      { task_id: "load", upstream_task_ids: ["extract"] },
      { task_id: "say", operator: "BashOperator" },
    ]);
    expect((await cli.run("tasks", "list", "hello", "--tree")).stdout).toBe(
      "extract (task)\n    load (task)\n        say (BashOperator)\n",
    );
    expect(await cli.fails(3, "dags", "details", "nope")).toContain('no DAG "nope"');
    expect(await cli.fails(3, "tasks", "list", "nope")).toContain('no DAG "nope"');
  });

  it("are paused and unpaused, several at once, all or none", async () => {
    expect(await cli.json("dags", "unpause", "hello", "other")).toEqual([
      { dag_id: "hello", is_paused: false },
      { dag_id: "other", is_paused: false },
    ]);
    expect(await cli.fails(3, "dags", "pause", "hello", "nope")).toContain('no DAG "nope"');
    expect(await cli.json("dags", "pause", "hel.*", "--treat-dag-id-as-regex")).toEqual([{ dag_id: "hello", is_paused: true }]);
    expect(await cli.json("dags", "details", "other")).toMatchObject({ is_paused: false });
  });

  it("tell their next runs, or why there are none", async () => {
    const ended = await cli.run("dags", "next-execution", "hello", "-n", "2");
    const dates = ended.stdout.trim().split("\n").map(Date.parse);
    expect(dates).toHaveLength(2);
    expect((dates[1] ?? 0) - (dates[0] ?? 0)).toBe(86_400_000);
    expect(ended.stderr).toContain("is paused");
    expect(await cli.run("dags", "next-execution", "other")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("no schedule"),
    });
  });

  it("tell no next run where the schedule can create none", async () => {
    const next = () => cli.run("dags", "next-execution", "hello");
    const { store } = database;
    await store.query("update dag set is_stale = true where dag_id = 'hello'");
    expect(await next()).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining('"hello" is stale') });
    await store.query("update dag set is_stale = false where dag_id = 'hello'");
    const setData = (value: string) =>
      store.query(
        `update serialized_dag set data = ${value} from dag_version where dag_version.id = dag_version_id and dag_version.dag_id = 'hello'`,
      );
    // As in a version that an older Baram stored; today such a file is an import error.
    await setData("data::jsonb #- '{params,name,value}'");
    expect(await next()).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("no default for the param name") });
    await setData(`jsonb_set(data::jsonb, '{params,name,value}', '"Ada"')`);
    expect((await next()).stdout).not.toBe("");
  });
});

describe("runs", () => {
  it("are triggered once per id and date, with a conf that fits", async () => {
    const run = await cli.json(
      "dags",
      "trigger",
      "hello",
      "--conf",
      '{"name": "Bo", "api_token": "in-the-conf"}',
      "-e",
      "2026-01-02",
      "--run-id",
      "r1",
      "--note",
      "why",
    );
    expect(run).toMatchObject({ dag_id: "hello", dag_run_id: "r1", state: "queued", note: "why" });
    const conf = { name: "Bo", api_token: "***" };
    expect(run).toMatchObject({ conf });
    expect((await cli.json<RunRow[]>("dags", "list-runs", "hello"))[0]).toMatchObject({ conf });
    expect(run).toMatchObject({ logical_date: "2026-01-02T00:00:00.000Z" });
    expect(await cli.fails(4, "dags", "trigger", "hello", "--run-id", "r1")).toContain('a run with id "r1"');
    expect(await cli.fails(4, "dags", "trigger", "hello", "-e", "2026-01-02T00:00:00Z")).toContain('"r1"');
    expect(await cli.fails(1, "dags", "trigger", "hello", "--conf", '{"name": 3}')).toContain('param "name" is 3');
    expect(await cli.fails(2, "dags", "trigger", "hello", "--conf", "{name}")).toContain("--conf is not JSON");
    expect(await cli.fails(2, "dags", "trigger", "hello", "--conf", "[1]")).toContain("JSON object");
    expect(await cli.fails(2, "dags", "trigger", "hello", "--conf", '{"a":"\\ud800"}')).toContain("half of a surrogate pair");
    const deep = `${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`;
    expect(await cli.fails(2, "dags", "trigger", "hello", "--conf", deep)).toContain("nested deeper than 1000 levels");
    expect(await cli.fails(2, "dags", "trigger", "hello", "--run-id", "a/b")).toContain('"a/b"');
    expect(await cli.fails(2, "dags", "trigger", "hello", "-e", "yesterday")).toContain('--logical-date is "yesterday"');
    expect(await cli.fails(3, "dags", "trigger", "nope")).toContain('no DAG "nope"');
    expect(await cli.fails(2, "dags", "trigger", "hello", "-r", "scheduled__2026-01-01")).toContain('begins with "scheduled__"');
  });

  it("are triggered for dates as people copy them from Airflow, for now, or for none", async () => {
    const date = async (...args: string[]) =>
      (await cli.json<{ logical_date: string | null }>("dags", "trigger", "dated", ...args)).logical_date;
    await saveDagFixture(database.store, { dagId: "dated" });
    expect(await date("-e", "2021-11-30 10:00:00+00:00")).toBe("2021-11-30T10:00:00.000Z");
    expect(await date("--exec-date", "2021-11-29")).toBe("2021-11-29T00:00:00.000Z");
    expect(await date("--logical-date", "2021-11-28T10:00:00+0900")).toBe("2021-11-28T01:00:00.000Z");
    expect(Math.abs(Date.parse((await date()) ?? "") - Date.now())).toBeLessThan(60_000);
    expect(await date("--no-logical-date")).toBeNull();
  });

  it("are listed and found by id or date", async () => {
    await cli.run("dags", "trigger", "hello", "--run-id", "r2");
    const runs = await cli.json<RunRow[]>("dags", "list-runs", "hello");
    expect(runs.map((run) => run.run_id)).toEqual(["r2", "r1"]);
    const limited = await cli.run("dags", "list-runs", "hello", "--limit", "1");
    expect(limited.stderr).toContain("newest 1 of 2");
    expect(await cli.json("dags", "list-runs", "hello", "--state", "failed")).toEqual([]);
    expect(await cli.run("dags", "state", "hello", "r1")).toMatchObject({ code: 0, stdout: "queued\n" });
    expect(await cli.run("dags", "state", "hello", "2026-01-02T01:00:00+01:00")).toMatchObject({ code: 0, stdout: "queued\n" });
    expect(await cli.fails(3, "dags", "state", "hello", "r9")).toContain('"r9"');
    expect(await cli.fails(3, "dags", "state", "nope", "r9")).toContain('no DAG "nope"');
    expect(await cli.fails(3, "dags", "list-runs", "nope")).toContain('no DAG "nope"');
  });

  it("show a task's fields before it has run, with secrets hidden, and the stored ones after", async () => {
    await cli.run("variables", "set", "token_of_day", "tok-12345");
    expect(await cli.json("tasks", "render", "hello", "say", "r1")).toEqual({ bashCommand: "echo Bo 2026-01-02 ***" });
    if (process.getuid?.() === 0) {
      const isolated = { BARAM__WORKERS__RUN_AS_USER: "21001" };
      const render = ["tasks", "render", "hello", "say", "r1"];
      const refused = await cli.runWith(isolated, ...render);
      expect(refused).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining('"baram tasks render" runs the DAG'),
      });
      expect(await cli.runWith(isolated, ...render, "--allow-root")).toMatchObject({ code: 0 });
    }
    await database.store.query(
      "update task_instance set try_number = 1, state = 'failed' where run_id = 'r1' and task_id = 'say'",
    );
    await database.store.query(
      `insert into rendered_task_instance_fields (dag_run_id, task_id, fields)
       select dag_run_id, task_id, '{"bashCommand": "as it was"}' from task_instance where run_id = 'r1' and task_id = 'say'`,
    );
    expect(await cli.json("tasks", "render", "hello", "say", "r1")).toEqual({ bashCommand: "as it was" });
    expect(await cli.fails(3, "tasks", "render", "hello", "nope", "r1")).toContain('no task "nope"');
  });

  it("are cleared by task, state and run", async () => {
    const states = async () =>
      (await cli.json<{ task_id: string; state: string | null }[]>("tasks", "states-for-dag-run", "hello", "r1")).map(
        (row) => row.state,
      );
    await database.store.query(
      "update task_instance set try_number = 1, state = 'success' where run_id = 'r1' and task_id <> 'say'",
    );
    await database.store.query("update dag_run set state = 'failed', end_date = now() where run_id = 'r1'");
    expect(await states()).toEqual(["success", "success", "failed"]);
    const dry = await cli.json<{ task_id: string }[]>(
      "tasks",
      "clear",
      "hello",
      "-t",
      "load",
      "--downstream",
      "--run-id",
      "r1",
      "--dry-run",
    );
    expect(dry.map((row) => row.task_id)).toEqual(["load", "say"]);
    expect(await cli.run("tasks", "clear", "hello", "--only-failed")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes"),
    });
    expect(await states()).toEqual(["success", "success", "failed"]);
    const cleared = await cli.json<{ task_id: string }[]>(
      "tasks",
      "clear",
      "hello",
      "--only-failed",
      "-s",
      "2026-01-01",
      "-e",
      "2026-01-03",
      "--yes",
    );
    expect(cleared.map((row) => row.task_id)).toEqual(["say"]);
    expect(await states()).toEqual(["success", "success", null]);
    expect(await cli.run("dags", "state", "hello", "r1")).toMatchObject({ stdout: "queued\n" });
    expect(await cli.fails(3, "tasks", "clear", "hello", "-t", "^zzz", "--yes")).toContain("^zzz");
    expect(await cli.fails(2, "tasks", "clear", "hello", "-t", "(", "--yes")).toContain("not a regular expression");
    expect(await cli.fails(3, "tasks", "clear", "hello", "--run-id", "r9", "--yes")).toContain('"r9"');
    expect(await cli.fails(2, "tasks", "clear", "hello", "--run-id", "r1", "-s", "2026-01-01", "--yes")).toContain("--run-id");
    expect(await cli.fails(2, "dags", "clear", "hello", "--past", "--yes")).toContain("give --run-id");
    const whole = await cli.json<{ task_id: string }[]>("dags", "clear", "hello", "--run-id", "r1", "--past", "--yes");
    expect(whole.map((row) => row.task_id)).toEqual(expect.arrayContaining(["load", "say"]));
    expect(await states()).toEqual([null, null, null]);
  });

  it("keep their pool and their DAG from being deleted while they need them", async () => {
    await cli.run("pools", "set", "narrow", "1");
    expect(await cli.fails(4, "pools", "delete", "narrow")).toContain("hello.extract");
    await database.store.query("update task_instance set state = 'running' where run_id = 'r1' and task_id = 'say'");
    expect(await cli.fails(4, "dags", "delete", "hello", "--yes")).toContain("queued or running");
    await database.store.query("update task_instance set state = 'failed' where run_id = 'r1' and task_id = 'say'");
    expect(await cli.fails(2, "dags", "delete", "hello")).toContain("--yes");
    expect(await cli.run("dags", "delete", "hello", "--yes")).toMatchObject({ code: 0 });
    expect(await cli.fails(3, "dags", "delete", "hello", "--yes")).toContain('no DAG "hello"');
    expect(await cli.run("pools", "delete", "narrow")).toMatchObject({ code: 0 });
  });

  it("leave a trace in the audit log", async () => {
    const { rows } = await database.store.query<{ event: string }>("select distinct event from log order by event");
    expect(rows.map((row) => row.event)).toEqual(
      expect.arrayContaining(["cli_dag_trigger", "cli_dag_pause", "cli_task_clear", "cli_dag_delete"]),
    );
  });
});
