import { afterEach, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createTestApi } from "../../tests/support/public-api.ts";
import { createRig, createSchedulerDatabase } from "../../tests/support/scheduler-rig.ts";
import { loadConfig } from "../config/index.ts";
import { openHealthPort } from "../main/health/index.ts";
import { createMetrics } from "../main/metrics/index.ts";
import { silentLogger } from "../platform/index.ts";
import { endJob, listJobs } from "../store/index.ts";
import type { Scheduler } from "./index.ts";

let database: TestDatabase;
let scheduler: Scheduler;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  const rig = await createRig(database, { settings: { heartbeatSec: 0.1 } });
  // Only the loop's own job is looked at.
  await endJob(rig.store, rig.options.jobId());
  scheduler = await rig.start();
});
afterEach(async () => {
  await scheduler.stop();
  await database.drop();
});

test("a scheduler whose every pass fails for longer than its threshold is unhealthy, with the reason, and healthy when they do not", async () => {
  const config = loadConfig({
    BARAM_HOME: "/nowhere/at/all",
    BARAM__SCHEDULER__ENABLE_HEALTH_CHECK: "true",
    BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST: "127.0.0.1",
    BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT: "0",
  });
  // So that the threshold of 30 s passes in an instant.
  let aheadMs = 0;
  const clock = { now: () => Date.now() + aheadMs };
  const life = () => ({ ...scheduler.life(), heartbeatMs: clock.now() });
  const metrics = createMetrics(config, silentLogger);
  const port = await openHealthPort(config, "scheduler", life, { clock, logger: silentLogger, metrics });
  const thresholds = { SchedulerJob: 2, DagProcessorJob: 30, TriggererJob: 30, ApiServerJob: 30, WorkerJob: 30 };
  const api = await createTestApi(database.store, { options: { healthThresholdSec: thresholds } });
  const ofApi = async () => (await api.get("/api/v2/monitor/health")).json.scheduler;
  const ofPort = async () => {
    const answer = await fetch(`${port?.url}/health`);
    return { code: answer.status, ...((await answer.json()) as object) };
  };
  const alive = async () =>
    (await listJobs(database.store, { isAlive: true, aliveWithinSec: thresholds }, { order: [], limit: 5, offset: 0 })).total;
  try {
    expect(await ofPort()).toMatchObject({ code: 200, status: "healthy", set_aside: 0 });
    expect([(await ofApi()).status, await alive()]).toEqual(["healthy", 1]);

    await database.store.query("alter table task_event rename to gone");
    await expect.poll(() => scheduler.life().failing?.reason, { timeout: 5_000 }).toContain("task_event");
    expect(await ofPort(), "not for long").toMatchObject({ code: 200, status: "healthy" });
    aheadMs = 30_000;
    const reason = expect.stringContaining("task_event");
    expect(await ofPort()).toMatchObject({ code: 503, status: "unhealthy", reason });
    await expect.poll(ofApi, { timeout: 5_000 }).toMatchObject({ status: "unhealthy", live: 0, reason });
    expect(await alive()).toBe(0);

    await database.store.query("alter table gone rename to task_event");
    await expect.poll(() => scheduler.life().failing, { timeout: 5_000, interval: 5 }).toBeNull();
    await expect.poll(ofApi, { timeout: 5_000 }).toMatchObject({ status: "healthy", reason: null });
    await expect.poll(async () => (await ofPort()).code, { timeout: 5_000 }).toBe(200);
  } finally {
    await port?.stop();
  }
});
