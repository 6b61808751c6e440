import { expect, test } from "vitest";
import { readPrometheusText, sampleOf } from "../../../tests/support/prometheus-text.ts";
import { listenUdp } from "../../../tests/support/udp-listener.ts";
import { loadConfig } from "../../config/index.ts";
import { METRICS, type MetricName, silentLogger, silentMetrics } from "../../platform/index.ts";
import { createMetrics } from "./create-metrics.ts";
import { prometheusName } from "./prometheus-sink.ts";

const metricsWith = (options: Record<string, string>, logger = silentLogger) => {
  const named = Object.fromEntries(Object.entries(options).map(([name, value]) => [`BARAM__METRICS__${name}`, value]));
  return createMetrics(loadConfig({ BARAM_HOME: "/nowhere/at/all", ...named }), logger);
};
const scrape = async ({ prometheus }: ReturnType<typeof createMetrics>) =>
  readPrometheusText((await prometheus?.expose()) ?? "").samples;
const task = (task_id: string) => ({ dag_id: "d", task_id });

test("with nobody to tell, parts get metrics that do nothing, so that nothing is measured for them", () => {
  expect(metricsWith({ PROMETHEUS_ON: "false" }).metrics).toBe(silentMetrics);
});

test("every name of the table is a name of Prometheus's and stands for one metric", () => {
  const names = (Object.keys(METRICS) as MetricName[]).map((name) => prometheusName("airflow", name));
  expect(names.filter((name) => !/^airflow_[a-zA-Z_]\w*$/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(names.length);
});

test("series beyond the bound are counted under other, and what was counted before stays", async () => {
  const process = metricsWith({ MAX_SERIES_PER_METRIC: "2" });
  for (const id of ["a", "b", "c", "d", "a"]) process.metrics.count("ti_successes", task(id));
  const readings = ["p", "q", "r", "s"].map((pool_name) => ({ labels: { pool_name }, value: 1 }));
  process.metrics.gauge("pool.open_slots", readings);
  const samples = await scrape(process);
  const of = (task_id: string) => sampleOf(samples, "airflow_ti_successes_total", { task_id });
  expect([of("a"), of("b"), of("c"), of("other")]).toEqual([2, 1, undefined, 2]);
  expect(sampleOf(samples, "airflow_pool_open_slots", { pool_name: "other" })).toBe(2);
  expect(samples.filter(({ name }) => name === "airflow_pool_open_slots")).toHaveLength(3);
});

test("a gauge's series that is not told again is gone", async () => {
  const process = metricsWith({});
  process.metrics.gauge("pool.open_slots", [{ labels: { pool_name: "old" }, value: 3 }]);
  process.metrics.gauge("pool.open_slots", [{ labels: { pool_name: "new" }, value: 4 }]);
  process.metrics.gauge("scheduler.dagruns.running", [{ labels: {}, value: 2 }]);
  process.metrics.gauge("scheduler.dagruns.running", []);
  const samples = await scrape(process);
  expect(samples).toEqual([{ name: "airflow_pool_open_slots", labels: { pool_name: "new" }, value: 4 }]);
});

test("the allow list lets only its matches through, and the block list is not read beside it", async () => {
  const emit = async (options: Record<string, string>) => {
    const process = metricsWith(options);
    process.metrics.count("ti_successes", task("a"));
    process.metrics.count("ti_failures", task("a"));
    process.metrics.count("scheduler_heartbeat", {});
    return (await scrape(process)).map(({ name }) => name.replace(/^airflow_|_total$/g, ""));
  };
  expect(await emit({ METRICS_ALLOW_LIST: "^ti_, nothing" })).toEqual(["ti_successes", "ti_failures"]);
  expect(await emit({ METRICS_BLOCK_LIST: "failures$,heartbeat" })).toEqual(["ti_successes"]);
  expect(await emit({ METRICS_ALLOW_LIST: "failures", METRICS_BLOCK_LIST: "failures" })).toEqual(["ti_failures"]);
  expect(() => metricsWith({ METRICS_BLOCK_LIST: "(" })).toThrow('[metrics] metrics_block_list names "("');
});

test("a statsd that is not there, or whose name does not resolve, costs a warning and never throws", async () => {
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => warned.push(message) };
  const away = metricsWith({ STATSD_ON: "true", STATSD_HOST: "no-such-host.invalid", PROMETHEUS_ON: "false" }, logger);
  for (let at = 0; at < 5_000; at++) away.metrics.count("ti_successes", task("a"));
  await expect.poll(() => warned, { timeout: 10_000 }).toContain("metrics cannot be sent to statsd");
  expect(warned.length).toBeLessThan(10);
  await away.close();
  const closed = await listenUdp();
  await closed.close();
  const refused = metricsWith({ STATSD_ON: "true", STATSD_HOST: "127.0.0.1", STATSD_PORT: String(closed.port) });
  for (let at = 0; at < 5_000; at++) refused.metrics.time("task.duration", task("a"), 1);
  await refused.close();
});

test("statsd without tags gets dotted names, with Datadog's tags one name", async () => {
  const statsd = await listenUdp();
  const emit = async (withTags: boolean) => {
    const process = metricsWith({
      STATSD_ON: "true",
      STATSD_HOST: "127.0.0.1",
      STATSD_PORT: String(statsd.port),
      STATSD_PREFIX: "b",
      STATSD_DATADOG_ENABLED: String(withTags),
    });
    statsd.lines.length = 0;
    process.metrics.count("operator_failures", { operator: "a b:c|d\n" });
    process.metrics.gauge("pool.open_slots", [
      { labels: { pool_name: "p" }, value: 2 },
      { labels: { pool_name: "q" }, value: 3 },
    ]);
    process.metrics.gauge("pool.open_slots", [{ labels: { pool_name: "q" }, value: 3 }]);
    process.metrics.time("dagrun.duration.success", { dag_id: "d" }, 1.5);
    await process.close();
    await expect.poll(() => statsd.lines.length).toBeGreaterThan(withTags ? 4 : 9);
    return [...statsd.lines];
  };
  expect(await emit(false)).toEqual([
    "b.operator_failures:1|c",
    "b.operator_failures_a_b_c_d_:1|c",
    "b.pool.open_slots.p:2|g",
    "b.pool.open_slots.q:3|g",
    "b.pool.open_slots:5|g",
    "b.pool.open_slots.q:3|g",
    "b.pool.open_slots.p:0|g",
    "b.pool.open_slots:3|g",
    "b.dagrun.duration.success:1500|ms",
    "b.dagrun.duration.success.d:1500|ms",
  ]);
  const tagged = await emit(true);
  expect(tagged).toContain("b.pool.open_slots:2|g|#pool_name:p");
  expect(tagged).toContain("b.dagrun.duration.success:1500|ms|#dag_id:d");
  expect(tagged.filter((line) => !/^b\.[\w.]+:[\d.]+\|\w+\|#\w+:[^|#]+$/.test(line))).toEqual([]);
  await statsd.close();
});
