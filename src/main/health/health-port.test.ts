import { expect, test } from "vitest";
import { readPrometheusText, sampleOf } from "../../../tests/support/prometheus-text.ts";
import { loadConfig } from "../../config/index.ts";
import { silentLogger } from "../../platform/index.ts";
import { createMetrics } from "../metrics/index.ts";
import { type HealthRole, openHealthPort } from "./health-port.ts";

const ROLES: [HealthRole, string][] = [
  ["scheduler", "SCHEDULER"],
  ["dag-processor", "DAG_PROCESSOR"],
  ["triggerer", "TRIGGERER"],
];

function configOf(role: string, more: Record<string, string> = {}) {
  return loadConfig({
    BARAM_HOME: "/nowhere/at/all",
    [`BARAM__${role}__ENABLE_HEALTH_CHECK`]: "true",
    [`BARAM__${role}__${role}_HEALTH_CHECK_SERVER_HOST`]: "127.0.0.1",
    [`BARAM__${role}__${role}_HEALTH_CHECK_SERVER_PORT`]: "0",
    ...more,
  });
}

test.each(ROLES)(
  "a %s's port says 503 once its heartbeat is older than its threshold, and 200 when it beats again",
  async (role, section) => {
    const config = configOf(section);
    let now = 1_000_000;
    const life = { jobId: 7, sinceMs: 500_000, heartbeatMs: now };
    const resources = { clock: { now: () => now }, logger: silentLogger, metrics: createMetrics(config, silentLogger) };
    const port = await openHealthPort(config, role, () => life, resources);
    const ask = async () => {
      const answer = await fetch(`${port?.url}/health`);
      return [answer.status, ((await answer.json()) as { status: string }).status];
    };
    expect(await ask()).toEqual([200, "healthy"]);
    now += 29_900;
    expect(await ask()).toEqual([200, "healthy"]);
    now += 200;
    expect(await ask()).toEqual([503, "unhealthy"]);
    life.heartbeatMs = now;
    expect(await ask()).toEqual([200, "healthy"]);
    resources.metrics.metrics.count("scheduler_heartbeat", {});
    const { samples } = readPrometheusText(await (await fetch(`${port?.url}/metrics`)).text());
    expect(sampleOf(samples, "airflow_scheduler_heartbeat_total")).toBe(1);
    await port?.stop();
  },
);

test("a role has no port unless its option asks for one, and none for metrics where they are off", async () => {
  const off = loadConfig({ BARAM_HOME: "/nowhere/at/all" });
  const life = () => ({ jobId: 1, sinceMs: 0, heartbeatMs: 0 });
  const resources = (config: typeof off) => ({
    clock: { now: () => 0 },
    logger: silentLogger,
    metrics: createMetrics(config, silentLogger),
  });
  for (const [role] of ROLES) expect(await openHealthPort(off, role, life, resources(off))).toBeNull();
  const silent = configOf("SCHEDULER", { BARAM__METRICS__PROMETHEUS_ON: "false" });
  const port = await openHealthPort(silent, "scheduler", life, resources(silent));
  expect((await fetch(`${port?.url}/metrics`)).status).toBe(404);
  await port?.stop();
});

test("where a token is set, a scrape without it is refused", async () => {
  const config = configOf("SCHEDULER", { BARAM__METRICS__PROMETHEUS_TOKEN: "scrape-me" });
  const life = () => ({ jobId: 1, sinceMs: 0, heartbeatMs: 0 });
  const resources = { clock: { now: () => 0 }, logger: silentLogger, metrics: createMetrics(config, silentLogger) };
  const port = await openHealthPort(config, "scheduler", life, resources);
  const ask = (headers: Record<string, string>) => fetch(`${port?.url}/metrics`, { headers }).then(({ status }) => status);
  expect(await ask({})).toBe(401);
  expect(await ask({ authorization: "Bearer scrape-you" })).toBe(401);
  expect(await ask({ authorization: "Bearer scrape-me" })).toBe(200);
  await port?.stop();
});

test("without a token, metrics are not served beyond this machine, and health is; ports are open to this machine alone by default", async () => {
  const life = () => ({ jobId: 1, sinceMs: 0, heartbeatMs: 0 });
  const statuses = async (more: Record<string, string>, authorization = "") => {
    const config = configOf("SCHEDULER", { BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST: "0.0.0.0", ...more });
    const resources = { clock: { now: () => 0 }, logger: silentLogger, metrics: createMetrics(config, silentLogger) };
    const port = await openHealthPort(config, "scheduler", life, resources);
    const ask = (path: string) => fetch(`${port?.url}${path}`, { headers: { authorization } }).then(({ status }) => status);
    const seen = [await ask("/health"), await ask("/metrics")];
    await port?.stop();
    return seen;
  };
  expect(await statuses({})).toEqual([200, 401]);
  expect(await statuses({ BARAM__METRICS__PROMETHEUS_TOKEN: "scrape-me" }, "Bearer scrape-me")).toEqual([200, 200]);
  for (const host of ["127.0.0.1", "localhost"])
    expect(await statuses({ BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST: host })).toEqual([200, 200]);
  const { scheduler, dag_processor, triggerer } = loadConfig({ BARAM_HOME: "/nowhere/at/all" });
  expect([
    scheduler.scheduler_health_check_server_host,
    dag_processor.dag_processor_health_check_server_host,
    triggerer.triggerer_health_check_server_host,
  ]).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
});
