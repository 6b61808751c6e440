/** Metrics of an engine with real workers that runs a DAG: statsd datagrams and a scrape of /metrics. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";
import { readPrometheusText, sampleOf } from "../support/prometheus-text.ts";
import { listenUdp } from "../support/udp-listener.ts";

let engine: Engine;
let statsd: Awaited<ReturnType<typeof listenUdp>>;
const SECRET = "t1ger-secret-of-the-connection";
beforeAll(async () => {
  statsd = await listenUdp();
  engine = await startEngine({
    environment: {
      BARAM_CONN_STORE: `postgres://scott:${SECRET}@db:5432/shop`,
      BARAM__METRICS__STATSD_ON: "true",
      BARAM__METRICS__STATSD_HOST: "127.0.0.1",
      BARAM__METRICS__STATSD_PORT: String(statsd.port),
      BARAM__SCHEDULER__ENABLE_HEALTH_CHECK: "true",
      BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST: "127.0.0.1",
      BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT: "0",
      BARAM__SCHEDULER__POOL_METRICS_INTERVAL: "0.2",
      BARAM__SCHEDULER__TI_METRICS_INTERVAL: "0.2",
      BARAM__SCHEDULER__DAGRUN_METRICS_INTERVAL: "0.2",
      BARAM__SCHEDULER__SCHEDULER_HEARTBEAT_SEC: "0.2",
    },
  });
  await engine.load({
    "told.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "told", schedule: null }, () => {
  task({ taskId: "plain" }, async (ctx) => { await ctx.connection("store"); return 1; })();
  task({ taskId: "flaky", retries: 1, retryDelay: { seconds: 0 } }, async (ctx) => {
    if (ctx.ti.tryNumber === 1) throw new Error("${SECRET}");
  })();
});`,
  });
  const runId = await engine.trigger("told");
  expect(await engine.finished("told", runId)).toBe("success");
}, 60_000);
afterAll(async () => {
  await engine?.stop();
  await statsd?.close();
});

/** The sum of a counter over all datagrams so far. */
const counted = (stat: string) =>
  statsd.lines
    .map((line) => new RegExp(`^airflow\\.${stat.replaceAll(".", "\\.")}:(-?[\\d.]+)\\|c$`).exec(line)?.[1])
    .reduce((sum, value) => sum + Number(value ?? 0), 0);

test("statsd gets a DAG run's counters, timers and gauges under Airflow's names", async () => {
  // Datagrams of several sockets arrive in any order.
  const counts = () => ({
    started: counted("ti.start"),
    successes: counted("ti_successes"),
    failures: counted("ti_failures"),
    byOperator: counted("operator_failures_task"),
    ended: counted("ti.finish.told.flaky.success"),
    again: counted("ti.finish.told.flaky.up_for_retry"),
    job: counted("schedulerjob_start"),
  });
  await expect
    .poll(counts, { timeout: 5_000 })
    .toEqual({ started: 3, successes: 2, failures: 1, byOperator: 1, ended: 1, again: 1, job: 1 });
  const has = (pattern: RegExp) =>
    expect.poll(() => statsd.lines.some((line) => pattern.test(line)), { timeout: 5_000 }).toBe(true);
  await has(/^airflow\.dag\.told\.plain\.duration:[\d.]+\|ms$/);
  await has(/^airflow\.dag\.told\.plain\.queued_duration:[\d.]+\|ms$/);
  await has(/^airflow\.dagrun\.duration\.success\.told:[\d.]+\|ms$/);
  await has(/^airflow\.scheduler\.scheduler_loop_duration:[\d.e-]+\|ms$/);
  await has(/^airflow\.scheduler_heartbeat:1\|c$/);
  await has(/^airflow\.pool\.open_slots\.default_pool:\d+\|g$/);
  await has(/^airflow\.executor\.open_slots\.LocalExecutor:8\|g$/);
  await has(/^airflow\.scheduler\.dagruns\.running:0\|g$/);
  await has(/^airflow\.dagbag_size:1\|g$/);
});

test("a scrape of a scheduler's health port reads the same, and the port says that it lives", async () => {
  const url = engine.scheduler().healthUrl;
  const health = await fetch(`${url}/health`);
  expect([health.status, await health.json()]).toMatchObject([
    200,
    { status: "healthy", role: "scheduler", job_id: expect.any(Number) },
  ]);
  // Measured by a timer, so the run's last tries may still be counted.
  const openSlots = async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return sampleOf(readPrometheusText(text).samples, "airflow_pool_open_slots", { pool_name: "default_pool" });
  };
  await expect.poll(openSlots, { timeout: 5_000 }).toBe(128);
  const scraped = await fetch(`${url}/metrics`);
  expect(scraped.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const { samples, types } = readPrometheusText(await scraped.text());
  const of = (name: string, labels?: Record<string, string>) => sampleOf(samples, `airflow_${name}`, labels);
  expect(of("ti_successes_total", { dag_id: "told", task_id: "plain" })).toBe(1);
  expect(of("ti_finish_total", { dag_id: "told", task_id: "flaky", state: "up_for_retry" })).toBe(1);
  expect(of("task_duration_seconds_count", { dag_id: "told", task_id: "flaky" })).toBe(2);
  expect(of("dagrun_duration_success_seconds_count", { dag_id: "told" })).toBe(1);
  expect(types.get("airflow_scheduler_scheduler_loop_duration_seconds")).toBe("histogram");
  expect(of("scheduler_scheduler_loop_duration_seconds_bucket", { le: "+Inf" })).toBeGreaterThan(3);
});

test("neither way out of the process carries a connection's secret or a task's message", async () => {
  const scraped = await (await fetch(`${engine.scheduler().healthUrl}/metrics`)).text();
  expect(`${scraped}${statsd.lines.join("\n")}`).not.toContain("t1ger");
  expect(statsd.lines.length).toBeGreaterThan(20);
});
