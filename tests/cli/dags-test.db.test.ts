import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Cli, createCli } from "./run-cli.ts";

type TaskRow = { task_id: string; state: string | null; try_number: number };

let database: TestDatabase;
let cli: Cli;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
}, 30_000);
afterAll(async () => {
  cli.remove();
  await database.drop();
});

/** A database that cannot be reached: the command must not need one. */
const NO_DATABASE = { BARAM__DATABASE__URL: "postgres://u:p@127.0.0.1:1/x" };
const statesOf = (stdout: string) => Object.fromEntries((JSON.parse(stdout) as TaskRow[]).map((row) => [row.task_id, row.state]));
const test = (...args: string[]) => cli.runWith(NO_DATABASE, "dags", "test", ...args, "-o", "json");

/** Writes a secret that it has read, in every way, when it is loaded too. */
const PRINTS = `
import { dag, task } from "baram";
process.stdout.write("loaded as " + process.getuid?.() + "\\n");
export default dag({ dagId: "prints", schedule: null }, () => {
  task({ taskId: "prints" }, async (ctx) => {
    const secret = (await ctx.connection("warehouse")).password;
    console.log("to console", secret);
    console.error("to console's error", secret);
    process.stdout.write("to stdout " + secret + "\\n");
    process.stderr.write(Buffer.from("to stderr " + secret + "\\n"));
  })();
});`;

describe("dags test", () => {
  it("masks all that a task writes, and leaves stdout to the states", async () => {
    const file = cli.writeDag("prints.ts", PRINTS);
    const secrets = { ...NO_DATABASE, BARAM_CONN_WAREHOUSE: "postgres://ada:hunter2hunter2@db/x" };
    const { stdout, stderr } = await cli.runWith(secrets, "dags", "test", "prints", "--file", file, "-o", "json");
    for (const text of ["loaded as", "to console ***", "to console's error ***", "to stdout ***", "to stderr ***"])
      expect(stderr).toContain(text);
    expect(stdout + stderr).not.toContain("hunter2hunter2");
    expect(statesOf(stdout)).toEqual({ prints: "success" });
  });

  it.runIf(process.getuid?.() === 0)("as root, warns; with run_as_user it runs no code unless it is told to", async () => {
    const file = cli.writeDag("prints.ts", PRINTS);
    const command = ["dags", "test", "prints", "--file", file];
    const warning = "The DAG's code runs as root";
    expect((await cli.runWith(NO_DATABASE, ...command)).stderr).toContain(warning);
    const isolated = { ...NO_DATABASE, BARAM__WORKERS__RUN_AS_USER: "21001" };
    const refused = await cli.runWith(isolated, ...command);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/"baram dags test" runs .* run_as_user is 21001. Run it as another user .* add --allow-root/);
    expect(refused.stderr).not.toContain("loaded as");
    const allowed = await cli.runWith(isolated, ...command, "--allow-root");
    expect(allowed.stderr).toContain("loaded as 0");
    expect(allowed.stderr).toContain(warning);
  });

  it("runs deferred tasks and their triggers in the same process, beside the other tasks", async () => {
    const file = cli.writeDag(
      "deferred.ts",
      `
import { BaseTrigger, dag, DateTimeTrigger, defer, FileTrigger, registerTrigger, task, TriggerEvent } from "baram";
import { TimeDeltaSensor } from "baram/operators";
class Twice extends BaseTrigger {
  async *run(ctx) { await ctx.sleep("50ms"); ctx.logger.info("waited"); yield new TriggerEvent(this.options.n * 2); }
}
registerTrigger("Twice", Twice);
export default dag({ dagId: "deferred", schedule: null }, () => {
  const mine = task({ taskId: "mine" }, async (ctx) => ctx.resumed ? ctx.resumed.event : defer({ trigger: new Twice({ n: 4 }) }))();
  task({ taskId: "after" }, async (ctx, n) => ctx.logger.info("got " + n))(mine);
  task({ taskId: "built_in" }, async (ctx) => ctx.resumed ? 1 : defer({ trigger: new DateTimeTrigger({ moment: new Date(Date.now() + 80) }) }))();
  task({ taskId: "late" }, async () => defer({ trigger: new FileTrigger({ path: "/nowhere/at/all" }), timeout: "50ms" }))();
  new TimeDeltaSensor({ taskId: "sensor", delta: "1s", mode: "deferrable" });
});
`,
    );
    const ended = await test("deferred", "2026-01-02", "--file", file);
    expect(ended.stderr).toContain("waited");
    expect(ended.stderr).toContain("got 8");
    expect(ended.stderr).toContain("TriggerTimeoutError");
    expect(statesOf(ended.stdout)).toEqual({
      mine: "success",
      after: "success",
      built_in: "success",
      late: "failed",
      sensor: "success",
    });
  });

  it("runs the tasks in order in one process, with conf, retries, branches and sensors", async () => {
    const file = cli.writeDag(
      "whole.ts",
      `
import { dag, task } from "baram";
import { BashOperator, branch, EmptyOperator, sensor } from "baram/operators";
let looks = 0;
export default dag({ dagId: "whole", params: { name: "Ada" }, onSuccess: (ctx) => ctx.logger.info("called back") }, () => {
  const extract = task({ taskId: "extract" }, async (ctx) => { console.log("printed"); ctx.logger.info("pid", { pid: process.pid }); return { rows: 3 }; });
  const load = task({ taskId: "load", retries: 1, retryDelay: "1h" }, async (ctx, from: { rows: number }) => {
    if (ctx.ti.tryNumber === 1) throw new Error("not yet");
    ctx.logger.info("loaded " + from.rows + " as " + ctx.conf.name);
    return from.rows;
  });
  const wait = sensor({ taskId: "wait", mode: "reschedule", pokeInterval: "20ms" }, async () => ++looks > 2);
  const choose = branch({ taskId: "choose" }, async () => "left");
  const left = new BashOperator({ taskId: "left", bashCommand: "echo left on {{ ds }}" });
  const right = new EmptyOperator({ taskId: "right" });
  const join = new EmptyOperator({ taskId: "join", triggerRule: "none_failed_min_one_success" });
  const chosen = choose();
  load(extract()).before(wait()).before(chosen);
  chosen.before(left).before(join);
  chosen.before(right).before(join);
});
`,
    );
    const ended = await test("whole", "2026-01-02", "--file", file, "--conf", '{"name": "Bo"}', "--no-retry-delay");
    expect(ended.stderr).toContain("loaded 3 as Bo");
    expect(ended.stderr).toContain("left on 2026-01-02");
    expect(ended.stderr).toContain("printed");
    expect(ended.stderr).toContain("called back");
    // The stack contains the author's own line.
    expect(ended.stderr).toMatch(/whole\.ts:8:\d+/);
    expect(statesOf(ended.stdout)).toEqual({
      extract: "success",
      load: "success",
      wait: "success",
      choose: "success",
      left: "success",
      right: "skipped",
      join: "success",
    });
    expect(JSON.parse(ended.stdout)).toContainEqual(expect.objectContaining({ task_id: "load", try_number: 2 }));
    expect(ended.code).toBe(0);
  });

  it("ends with exit code 1 when the run fails, and honours trigger rules on the way", async () => {
    cli.writeDag(
      "failing.ts",
      `
import { dag, FailError, task } from "baram";
import { EmptyOperator } from "baram/operators";
export default dag({ dagId: "failing", onFailure: (ctx) => ctx.logger.info("failed: " + ctx.run.runId) }, () => {
  const bad = task({ taskId: "bad", retries: 3 }, async () => { throw new FailError("never again"); })();
  bad.before(new EmptyOperator({ taskId: "after" }));
  bad.before(new EmptyOperator({ taskId: "cleanup", triggerRule: "all_failed" }));
});
`,
    );
    const ended = await test("failing");
    expect(ended.code).toBe(1);
    expect(statesOf(ended.stdout)).toEqual({ bad: "failed", after: "upstream_failed", cleanup: "success" });
    expect(ended.stderr).toContain("never again");
    expect(ended.stderr).toContain("failed: manual__");
  });

  it("reads variables and connections, hides their secrets, and leaves nothing in the database", async () => {
    await cli.run("variables", "set", "api_token", "tok-12345");
    cli.writeDag(
      "reader.ts",
      `
import { dag, task } from "baram";
export default dag({ dagId: "reader" }, () => {
  task({ taskId: "read" }, async (ctx) => {
    ctx.logger.info("token " + (await ctx.variable("api_token")));
    const lake = await ctx.connection("lake");
    ctx.logger.info("password " + lake.password + " of " + lake.login);
    await ctx.setVariable("counter", "5");
    ctx.logger.info("counter " + (await ctx.variable("counter")));
    const run = await ctx.dags.trigger({ dagId: "elsewhere" });
    ctx.logger.info("elsewhere " + (await ctx.dags.runState("elsewhere", run.runId)));
  })();
});
`,
    );
    const ended = await cli.runWith({ BARAM_CONN_LAKE: "s3://key:secret-key@" }, "dags", "test", "reader");
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("token ***");
    expect(ended.stderr).toContain("password *** of key");
    expect(ended.stderr).toContain("counter 5");
    expect(ended.stderr).toContain("elsewhere success");
    const { rows } = await database.store.query<{ count: number }>(
      "select ((select count(*) from dag_run) + (select count(*) from dag) + (select count(*) from variable where key = 'counter'))::int as count",
    );
    expect(rows[0]?.count).toBe(0);
  });

  it("tells what is wrong with the file, the id or the conf", async () => {
    const broken = cli.writeDag("broken.ts", 'import { dag } from "baram";\nconst x = ;\n');
    expect(await cli.fails(1, "dags", "test", "x", "--file", broken)).toContain("broken.ts:2:11");
    const throwing = cli.writeDag("throwing.ts", 'throw new Error("no table for lonely");\n');
    expect(await cli.fails(1, "dags", "test", "lonely")).toContain("no table for lonely");
    expect(await cli.fails(3, "dags", "test", "nowhere")).toContain('defines a DAG "nowhere"');
    const other = cli.writeDag(
      "other.ts",
      'import { dag } from "baram";\nexport default dag({ dagId: "one", params: { n: 1 } }, () => {});\n',
    );
    expect(await cli.fails(3, "dags", "test", "two", "--file", other)).toContain('It defines: "one"');
    expect(await cli.fails(2, "dags", "test", "one", "--file", `${throwing}x`)).toContain("There is no file");
    expect(await cli.fails(2, "dags", "test", "one", "soon", "--file", other)).toContain('"soon"');
  });

  it("runs mapped tasks and groups instance by instance", async () => {
    const file = cli.writeDag(
      "mapped.ts",
      `
import { dag, task, taskGroup, type XComArg } from "baram";
export default dag({ dagId: "mapped" }, () => {
  const list = task({ taskId: "list" }, async () => [1, 2, 3])();
  const each = task({ taskId: "each", retries: 1, retryDelay: { seconds: 0.01 } }, async (ctx, n: number) => {
    if (n === 2 && ctx.ti.tryNumber === 1) throw new Error("not yet");
    return n * 10;
  }).expand(list);
  const group = taskGroup("g", (n: XComArg<number>) => task({ taskId: "add" }, async (_ctx, m: number) => m + 1)(n)).expand(each);
  task({ taskId: "sum" }, async (ctx, all: number[]) => ctx.logger.info("all " + JSON.stringify(all)))(group.result);
  task({ taskId: "none" }, async (_ctx, n: number) => n).expand([]);
});`,
    );
    const { code, stdout, stderr } = await test("mapped", "--file", file);
    expect(code, stderr).toBe(0);
    const rows = (JSON.parse(stdout) as (TaskRow & { map_index: number })[]).map((row) => [
      `${row.task_id}${row.map_index < 0 ? "" : `[${row.map_index}]`}`,
      row.state,
      row.try_number,
    ]);
    expect(rows.sort()).toEqual([
      ["each[0]", "success", 1],
      ["each[1]", "success", 2],
      ["each[2]", "success", 1],
      ["g.add[0]", "success", 1],
      ["g.add[1]", "success", 1],
      ["g.add[2]", "success", 1],
      ["list", "success", 1],
      ["none", "skipped", 0],
      ["sum", "success", 1],
    ]);
    expect(stderr).toContain("all [11,21,31]");
  }, 30_000);
});
