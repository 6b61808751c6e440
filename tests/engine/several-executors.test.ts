/**
 * LocalExecutor and SequentialExecutor at the same time, selected by tasks: which one runs a task, their limits, and the effect
 * of a changed configuration.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Config } from "../../src/config/index.ts";
import { createConfiguredDagProcessor, type SchedulerPart, startSchedulerPart } from "../../src/main/index.ts";
import { createMetrics, type ProcessMetrics } from "../../src/main/metrics/index.ts";
import { findPackageRoot, type Logger, silentLogger } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { urlOf } from "../support/own-server.ts";
import { readPrometheusText, sampleOf } from "../support/prometheus-text.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";
import { listenUdp } from "../support/udp-listener.ts";

const BOTH = "LocalExecutor,one:SequentialExecutor";
const LOCAL_PLACES = 3;
const ALL_PLACES = 4;
type Line = { what: "start" | "end"; runId: string; task: string };

let engine: Engine;
let api: TestApi;
let statsd: Awaited<ReturnType<typeof listenUdp>>;
let scheduler: SchedulerPart | null = null;
let environment: Record<string, string>;

beforeAll(async () => {
  statsd = await listenUdp();
  environment = {
    BARAM__CORE__EXECUTOR: BOTH,
    BARAM__CORE__PARALLELISM: String(ALL_PLACES),
    BARAM__LOCAL_EXECUTOR__PARALLELISM: String(LOCAL_PLACES),
    BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.2",
    BARAM__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: "0.3",
    BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD: "1.5",
    BARAM__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL: "0.2",
    BARAM__SCHEDULER__POOL_METRICS_INTERVAL: "0.2",
    BARAM__SCHEDULER__TI_METRICS_INTERVAL: "0.2",
    BARAM__METRICS__STATSD_ON: "true",
    BARAM__METRICS__STATSD_HOST: "127.0.0.1",
    BARAM__METRICS__STATSD_PORT: String(statsd.port),
    BARAM__SCHEDULER__ENABLE_HEALTH_CHECK: "true",
    BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST: "127.0.0.1",
    BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT: "0",
  };
  engine = await startEngine({ environment, withScheduler: false });
  api = await createTestApi(engine.store, { resources: { executors: ["LocalExecutor", "SequentialExecutor"] } });
  await engine.load({ "several.ts": DAGS(engine.home) });
  scheduler = await start(engine.config);
}, 60_000);
afterAll(async () => {
  await stop();
  await engine?.stop();
  await statsd?.close();
});

const DAGS = (folder: string) => `
import { appendFileSync, existsSync } from "node:fs";
import { dag, task } from "baram";
const FOLDER = ${JSON.stringify(folder)};
const noted = (work) => async (ctx) => {
  const note = (what) => appendFileSync(FOLDER + "/trace.ndjson", JSON.stringify({ what, runId: ctx.ti.runId, task: ctx.ti.taskId }) + "\\n");
  note("start");
  await work(ctx);
  note("end");
};
const briefly = noted((ctx) => ctx.sleep({ seconds: 0.1 }));
const held = noted(async (ctx) => { while (!existsSync(FOLDER + "/release-" + ctx.ti.runId)) await ctx.sleep({ seconds: 0.02 }); });

dag({ dagId: "named", schedule: null }, () => {
  task({ taskId: "unnamed" }, briefly)();
  task({ taskId: "by_alias", executor: "one" }, briefly)();
  task({ taskId: "by_short_form", executor: "sequential" }, briefly)();
  task({ taskId: "by_name", executor: "SequentialExecutor" }, briefly)();
});
dag({ dagId: "by_default_args", schedule: null, defaultArgs: { executor: "one" } }, () => {
  task({ taskId: "of_the_dag" }, briefly)();
  task({ taskId: "of_its_own", executor: "local" }, briefly)();
});
dag({ dagId: "daily", schedule: "0 0 * * *", startDate: "2024-01-01", catchup: false }, () => { task({ taskId: "t" }, briefly)(); });
dag({ dagId: "crowd", schedule: null, maxActiveTasks: 64 }, () => {
  for (let at = 0; at < 6; at++) {
    task({ taskId: "s" + at, executor: "one", priorityWeight: 100 }, briefly)();
    task({ taskId: "l" + at }, briefly)();
  }
});
dag({ dagId: "holders", schedule: null }, () => {
  task({ taskId: "here" }, held)();
  task({ taskId: "there", executor: "one" }, held)();
});
dag({ dagId: "one_only", schedule: null, maxActiveTasks: 64 }, () => {
  task({ taskId: "holder", executor: "one", priorityWeight: 9 }, held)();
  for (let at = 0; at < 4; at++) task({ taskId: "t" + at, executor: "one" }, briefly)();
});
`;

let metrics: ProcessMetrics | null = null;
async function start(config: Config, logger: Logger = silentLogger): Promise<SchedulerPart> {
  metrics = createMetrics(config, silentLogger);
  return startSchedulerPart(config, engine.database.open(), engine.apiUrl, logger, metrics);
}
async function stop(): Promise<void> {
  await scheduler?.stop();
  await metrics?.close();
  scheduler = null;
  metrics = null;
}
const configured = (executor: string): Config => ({ ...engine.config, core: { ...engine.config.core, executor } });

function trace(...runIds: string[]): Line[] {
  const file = join(engine.home, "trace.ndjson");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line).filter((line) => runIds.includes(line.runId));
}
const started = (runId: string) => trace(runId).flatMap(({ what, task }) => (what === "start" ? [task] : []));
const release = (runId: string) => writeFileSync(join(engine.home, `release-${runId}`), "");

/** Maximum number of tasks that ran at the same time. */
function overlap(lines: readonly Line[]): number {
  let open = 0;
  return Math.max(0, ...lines.map(({ what }) => (open += what === "start" ? 1 : -1)));
}

async function executorsOf(dagId: string, runId: string): Promise<Record<string, string>> {
  const { json } = await api.get(`/api/v2/dags/${dagId}/dagRuns/${runId}/taskInstances`);
  return Object.fromEntries(json.task_instances.map((one: { task_id: string; executor: string }) => [one.task_id, one.executor]));
}

test("a task runs where it says, by name, short form or alias, in its own words or its DAG's; else on the first", async () => {
  const named = await engine.trigger("named");
  const byDefault = await engine.trigger("by_default_args");
  expect([await engine.finished("named", named), await engine.finished("by_default_args", byDefault)]).toEqual([
    "success",
    "success",
  ]);
  expect(await executorsOf("named", named)).toEqual({
    unnamed: "LocalExecutor",
    by_alias: "SequentialExecutor",
    by_short_form: "SequentialExecutor",
    by_name: "SequentialExecutor",
  });
  expect(await executorsOf("by_default_args", byDefault)).toEqual({
    of_the_dag: "SequentialExecutor",
    of_its_own: "LocalExecutor",
  });
  // Each executor has its own supervisor, and the supervisor is recorded as the process of a try.
  const { rows } = await engine.store.query<{ executor: string; pids: number[] }>(
    "select executor, array_agg(distinct pid) as pids from task_instance where run_id in ($1, $2) group by executor order by executor",
    [named, byDefault],
  );
  const [local, sequential] = rows.map(({ pids }) => pids);
  expect([local?.length, sequential?.length]).toEqual([1, 1]);
  expect(local).not.toEqual(sequential);
});

test("a backfill's runs go to the first, too", async () => {
  const body = { dag_id: "daily", from_date: "2024-02-01T00:00:00Z", to_date: "2024-02-02T00:00:00Z" };
  expect((await api.ask("POST", "/api/v2/backfills", { body })).status).toBe(200);
  const states = async () =>
    (await engine.store.query("select state, executor from task_instance where run_id like 'backfill%'")).rows;
  const one = { state: "success", executor: "LocalExecutor" };
  await expect.poll(states, { timeout: 15_000 }).toEqual([one, one]);
});

test("a name that is not configured is an import error that says which are; a change of the configuration is seen without one of the file", async () => {
  const text = `import { dag, task } from "baram"; export default dag({ dagId: "away", schedule: null }, () => { task({ taskId: "t", executor: "far" }, async () => 1)(); });`;
  const error =
    'import error: away.ts: DAG away, task t: there is no executor "far" here; [core] executor configures LocalExecutor, one:SequentialExecutor';
  await expect(engine.load({ "away.ts": text })).rejects.toThrow(error);
  const broken = async () => {
    const { json } = await api.get("/api/v2/importErrors");
    return json.import_errors.map((one: { filename: string }) => one.filename);
  };
  expect(await broken()).toEqual(["away.ts"]);
  const renamed = configured("LocalExecutor,far:SequentialExecutor");
  const processor = createConfiguredDagProcessor(renamed, engine.store, silentLogger, { withExamples: false });
  await processor.processOnce();
  await processor.stop();
  expect(await broken()).toEqual(["several.ts"]);
  rmSync(join(engine.config.core.dags_folder, "away.ts"));
  await engine.load({});
  expect(await broken()).toEqual([]);
});

test("each keeps to its own places and both to the cap; a full one delays no task of the other", async () => {
  const watch = watchActive();
  const blocking = await engine.trigger("one_only");
  await expect.poll(() => started(blocking), { timeout: 10_000 }).toEqual(["holder"]);
  const runId = await engine.trigger("crowd");
  const localDone = async () => {
    const states = await engine.states("crowd", runId);
    return Object.keys(states).filter((task) => task.startsWith("l") && states[task] === "success").length;
  };
  await expect.poll(localDone, { timeout: 15_000, interval: 50 }).toBe(6);
  expect(started(runId).filter((task) => task.startsWith("s"))).toEqual([]);
  release(blocking);
  expect([await engine.finished("crowd", runId), await engine.finished("one_only", blocking)]).toEqual(["success", "success"]);
  watch.stop();
  expect(watch.highest).toEqual({ LocalExecutor: LOCAL_PLACES, SequentialExecutor: 1, all: ALL_PLACES });
  const lines = trace(runId, blocking);
  expect(overlap(lines.filter(({ task }) => task.startsWith("l")))).toBeLessThanOrEqual(LOCAL_PLACES);
  expect(overlap(lines.filter(({ task }) => !task.startsWith("l")))).toBe(1);
});

/** Continuously samples how many tries are queued or running. */
function watchActive(): { highest: Record<string, number>; stop(): void } {
  const highest: Record<string, number> = { all: 0 };
  const timer = setInterval(async () => {
    const sql = "select executor, count(*)::int as n from task_instance where state in ('queued', 'running') group by executor";
    const { rows } = await engine.store.query<{ executor: string; n: number }>(sql);
    for (const { executor, n } of rows) highest[executor] = Math.max(highest[executor] ?? 0, n);
    highest.all = Math.max(
      highest.all ?? 0,
      rows.reduce((sum, { n }) => sum + n, 0),
    );
  }, 10);
  return { highest, stop: () => clearInterval(timer) };
}

test("metrics tell the executors apart, for statsd under Airflow's names", async () => {
  const runId = await engine.trigger("holders");
  await expect.poll(() => started(runId).sort(), { timeout: 10_000 }).toEqual(["here", "there"]);
  const scraped = async (name: string) => {
    const { samples } = readPrometheusText(await (await fetch(`${scheduler?.healthUrl}/metrics`)).text());
    const of = (executor: string) => sampleOf(samples, `airflow_executor_${name}`, { executor });
    return [of("LocalExecutor"), of("SequentialExecutor")];
  };
  await expect.poll(() => scraped("open_slots"), { timeout: 5_000 }).toEqual([LOCAL_PLACES - 1, 0]);
  await expect.poll(() => scraped("running_tasks"), { timeout: 5_000 }).toEqual([1, 1]);
  expect(await scraped("queued_tasks")).toEqual([0, 0]);
  for (const line of [
    `airflow.executor.open_slots.LocalExecutor:${LOCAL_PLACES - 1}|g`,
    "airflow.executor.open_slots.SequentialExecutor:0|g",
    "airflow.executor.running_tasks.SequentialExecutor:1|g",
    // Without a name, as with a single executor: the sum.
    "airflow.executor.running_tasks:2|g",
  ])
    await expect.poll(() => statsd.lines.includes(line), { timeout: 5_000 }).toBe(true);
  release(runId);
  expect(await engine.finished("holders", runId)).toBe("success");
});

test("kill -9 of a scheduler with both: its heir goes on with what runs on either, and each task ran once", async () => {
  await stop();
  const dying = spawnScheduler();
  const runId = await engine.trigger("holders");
  await expect.poll(() => started(runId).sort(), { timeout: 20_000 }).toEqual(["here", "there"]);
  dying.kill("SIGKILL");
  scheduler = await start(engine.config);
  const heir = scheduler.scheduler.jobId();
  const owners = async () =>
    (await engine.store.query("select distinct state, queued_by_job_id as job from task_instance where run_id = $1", [runId]))
      .rows;
  await expect.poll(owners, { timeout: 10_000 }).toEqual([{ state: "running", job: heir }]);
  release(runId);
  expect(await engine.finished("holders", runId)).toBe("success");
  expect(started(runId).sort()).toEqual(["here", "there"]);
});

test("an executor that is taken out of the configuration: what names it waits and is warned of, what does not goes to the first", async () => {
  await stop();
  // Created while LocalExecutor was the first, and SequentialExecutor was configured.
  const unnamed = await engine.trigger("daily");
  const named = await engine.trigger("named");
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (facts, message) => void warnings.push(`${JSON.stringify(facts)} ${message}`) };
  scheduler = await start(configured("LocalExecutor"), logger);
  const states = () => engine.states("named", named);
  await expect
    .poll(states, { timeout: 10_000 })
    .toEqual({ unnamed: "success", by_alias: "scheduled", by_short_form: "scheduled", by_name: "scheduled" });
  await expect.poll(() => warnings.join("\n"), { timeout: 5_000 }).toContain("name these in [core] executor again");
  expect(warnings.filter((line) => line.includes("SequentialExecutor"))).toHaveLength(1);
  const fewer = await createTestApi(engine.store, { resources: { executors: ["LocalExecutor"] } });
  expect((await fewer.get("/api/v2/dagWarnings?dag_id=named")).json).toMatchObject({
    total_entries: 1,
    dag_warnings: [
      {
        dag_id: "named",
        warning_type: "non-existent executor",
        message:
          "Tasks are scheduled for executors that [core] executor does not name and wait until it does: SequentialExecutor",
      },
    ],
  });
  expect(await engine.finished("daily", unnamed)).toBe("success");
  await stop();
  // The other direction: instances created for LocalExecutor, whose tasks do not name it.
  const later = await engine.trigger("daily", { runId: "later" });
  scheduler = await start(configured("one:SequentialExecutor"));
  expect(await engine.finished("daily", later)).toBe("success");
  expect(await executorsOf("daily", later)).toEqual({ t: "SequentialExecutor" });
  expect(await engine.finished("named", named)).toBe("success");
  expect((await api.get("/api/v2/dagWarnings?dag_id=named")).json.total_entries).toBe(0);
});

function spawnScheduler(): ChildProcess {
  return spawn(process.execPath, [join(findPackageRoot(), "tests", "support", "child-role.mjs"), "scheduler"], {
    env: {
      ...process.env,
      ...environment,
      BARAM_HOME: engine.home,
      BARAM__CORE__DAGS_FOLDER: engine.config.core.dags_folder,
      BARAM__DATABASE__URL: urlOf(engine.database.address),
      BARAM__API__BASE_URL: engine.apiUrl,
      BARAM__LOGGING__LOGGING_LEVEL: "error",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
}
