/** Logs in S3: of a remote worker, with the keys of a connection that it requests from the API, and of the local executor. */
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import { startSchedulerPart } from "../../src/main/index.ts";
import { createConfiguredLogStore } from "../../src/main/remote-logs.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { type MotoServer, startMotoServer } from "../support/moto-server.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";
import { queueWorkload, startWorker } from "../support/worker-process.ts";

const SECRET = "a-key-that-nobody-shows";
let moto: MotoServer;
let engine: Engine;
let api: TestApi;
const folder = mkdtempSync(join(tmpdir(), "baram-gates-"));
/** Every process of an installation has these options; the engine's folder represents the API server's. */
const logging = {
  BARAM__LOGGING__REMOTE_LOGGING: "true",
  BARAM__LOGGING__REMOTE_BASE_LOG_FOLDER: "s3://tries/logs",
  BARAM__LOGGING__REMOTE_LOG_CONN_ID: "log_keys",
};

beforeAll(async () => {
  moto = await startMotoServer();
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const s3 = new S3Client({ endpoint: moto.url, forcePathStyle: true, region: "us-east-1", credentials });
  await s3.send(new CreateBucketCommand({ Bucket: "tries" }));
  const keys = `aws://key:${SECRET}@?region_name=us-east-1&endpoint_url=${encodeURIComponent(moto.url)}`;
  engine = await startEngine({ withScheduler: false, environment: { ...logging, BARAM_CONN_LOG_KEYS: keys } });
  const connect = async () => ({
    ...{ connId: "log_keys", connType: "aws", description: null, host: null, schema: null, port: null },
    ...{ login: "key", password: SECRET, extra: { region_name: "us-east-1", endpoint_url: moto.url } },
  });
  api = await createTestApi(engine.store, { resources: { logs: createConfiguredLogStore(engine.config, connect) } });
  await engine.load({
    "kept.ts": `
import { existsSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "kept", schedule: null, params: { gate: "" } }, () => {
  task({ taskId: "waits" }, async (ctx) => {
    console.log("so far");
    while (!existsSync(ctx.params.gate as string)) await new Promise((r) => setTimeout(r, 20));
    console.log("at last");
  })();
});`,
  });
}, 180_000);
afterAll(async () => {
  await engine?.stop();
  await moto?.stop();
});

async function logOf(runId: string): Promise<string[]> {
  const path = `/api/v2/dags/kept/dagRuns/${runId}/taskInstances/waits/logs/1?full_content=true`;
  return (await api.get(path)).json.content.map((line: { event: string }) => line.event);
}
const localLog = (runId: string) =>
  join(engine.config.logging.base_log_folder, `dag_id=kept/run_id=${runId}/task_id=waits/attempt=1.log`);

test("a worker elsewhere keeps its log at S3, read while the task runs and when the worker is gone; its keys are shown nowhere", async () => {
  const gate = join(folder, "elsewhere");
  const runId = await engine.trigger("kept", { runId: "elsewhere", conf: { gate } });
  const workload = await queueWorkload(engine, { dagId: "kept", runId, taskId: "waits" });
  const worker = startWorker(workload, { apiUrl: engine.apiUrl, environment: logging });
  await expect.poll(() => logOf(runId), { timeout: 15_000 }).toContain("so far");
  writeFileSync(gate, "");
  const { code, stderr } = await worker.ended;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const log = await logOf(runId);
  expect(log).toContain("at last");
  expect(log.at(-1)).toContain("the try ended: success");
  expect(existsSync(localLog(runId))).toBe(false);
  expect(`${log} ${stderr}`).not.toContain(SECRET);
});

test("S3 away at the task's end fails no task: its log is brought when S3 is back", async () => {
  const gate = join(folder, "outage");
  const runId = await engine.trigger("kept", { runId: "outage", conf: { gate } });
  const workload = await queueWorkload(engine, { dagId: "kept", runId, taskId: "waits" });
  const worker = startWorker(workload, { apiUrl: engine.apiUrl, environment: logging });
  await expect.poll(() => logOf(runId), { timeout: 15_000 }).toContain("so far");
  moto.freeze();
  writeFileSync(gate, "");
  const state = async () => (await engine.states("kept", runId)).waits;
  await expect.poll(state, { timeout: 10_000 }).toBe("success");
  expect(worker.child.exitCode).toBeNull();
  moto.resume();
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(await logOf(runId)).toContain("at last");
});

test("the local executor brings its tries' logs to S3 too, and deletes them here where that is asked for", async () => {
  const config = loadConfig({
    BARAM_HOME: engine.home,
    BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.2",
    BARAM__LOGGING__DELETE_LOCAL_LOGS: "true",
    ...logging,
  });
  const scheduler = await startSchedulerPart(config, engine.database.open(), engine.apiUrl, silentLogger);
  try {
    const gate = join(folder, "local");
    const runId = await engine.trigger("kept", { conf: { gate } });
    await expect.poll(() => logOf(runId), { timeout: 15_000 }).toContain("so far");
    expect(existsSync(localLog(runId))).toBe(true);
    writeFileSync(gate, "");
    expect(await engine.finished("kept", runId)).toBe("success");
    await expect.poll(() => existsSync(localLog(runId)), { timeout: 10_000 }).toBe(false);
    expect((await logOf(runId)).filter((line) => /so far|at last|ended/.test(line))).toEqual([
      "so far",
      "at last",
      expect.stringContaining("the try ended: success"),
    ]);
  } finally {
    await scheduler.stop();
  }
});

test("a remote folder that is none is refused at the start, by name", () => {
  const start = (environment: Record<string, string>) =>
    createConfiguredLogStore(loadConfig({ BARAM_HOME: engine.home, ...environment }), async () => null);
  expect(() => start({ BARAM__LOGGING__REMOTE_LOGGING: "true" })).toThrow("remote_base_log_folder is not set");
  expect(() => start({ ...logging, BARAM__LOGGING__REMOTE_BASE_LOG_FOLDER: "gs://tries/logs" })).toThrow(
    'remote_base_log_folder is "gs://tries/logs", but must be s3://bucket/prefix',
  );
});
