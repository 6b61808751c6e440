import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "../../src/contracts/index.ts";
import { createExecutionApi, type ExecutionApiOptions, type ExecutionApiResources } from "../../src/execution-api/index.ts";
import { distFile } from "../../src/main/dist-file.ts";
import { createTokens, silentLogger, silentMetrics } from "../../src/platform/index.ts";
import { createDagCache, createDagRun } from "../../src/scheduler/commands/index.ts";
import { createCipher, type Store } from "../../src/store/index.ts";
import { createFolderLogStore, createLogReceiver } from "../../src/task-logs/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: each test expects other fields
type JsonAnswer = any;
export type ExecutionAnswer = { status: number; headers: Headers; json: JsonAnswer };
export type TestTry = { id: string; dagId: string; runId: string; taskId: string; workload: string; token: string };

/** The default worker of a test's tries. */
export const WORKER = { hostname: "host-1", unixname: "baram", pid: 100 };
export const NOW = "2024-05-01T00:00:00Z";

export type TestExecutionApi = ReturnType<typeof createTestExecutionApi>;

/** The execution API on a test's database, called without a port; `clock` can be moved forward. */
export function createTestExecutionApi(store: Store, overrides: Partial<ExecutionApiOptions> = {}) {
  const logFolder = mkdtempSync(join(tmpdir(), "baram-logs-"));
  const ahead = { sec: 0 };
  const resources: ExecutionApiResources = {
    store,
    dags: createDagCache(),
    tokens: createTokens(randomBytes(32)),
    cipher: createCipher(randomBytes(32)),
    logs: createLogReceiver({ folder: logFolder, maxFileBytes: 1_000_000 }, distFile("task-logs/receiver-thread.js")),
    logStore: createFolderLogStore(logFolder),
    secrets: { connection: () => null, variable: () => null },
    clock: { now: () => Date.now() + ahead.sec * 1_000 },
    logger: silentLogger,
    metrics: silentMetrics,
  };
  const options = {
    tokenTtlSec: 600,
    xcomMaxBytes: 1_000,
    maxMapLength: 1_024,
    templatedFieldMaxLength: 4_096,
    allowedRunId: /^/,
    defaultExecutor: "LocalExecutor",
    allowTriggerInFuture: false,
    workerLostAfterSec: 30,
    ...overrides,
  };
  const app = createExecutionApi(resources, options);
  let runs = 0;

  async function ask(
    method: string,
    path: string,
    request: { token?: string | null; body?: unknown; raw?: string } = {},
  ): Promise<ExecutionAnswer> {
    const headers: Record<string, string> = {};
    // The calls for many tries take any good token; those of their items decide.
    const anyone = request.token === undefined && /^\/baram\/(batch|heartbeat|logs)$/.test(path);
    const token = anyone ? await resources.tokens.sign("baram:task", { subject: randomUUID() }, 60) : request.token;
    if (token) headers.authorization = `Bearer ${token}`;
    const body = request.raw ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
    if (body !== undefined) headers["content-type"] = "application/json";
    const response = await app.request(path, { method, headers, body });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("application/json") ?? false;
    return { status: response.status, headers: response.headers, json: isJson && text !== "" ? JSON.parse(text) : null };
  }

  /** Queues a try in a new run. */
  async function queued(dagId: string, taskId: string, given: { logicalDate?: Date; tryNumber?: number } = {}): Promise<TestTry> {
    const request = { dagId, runId: `r${++runs}`, logicalDate: given.logicalDate ?? null, triggeredBy: "test" as const };
    const { runId } = await createDagRun(store, resources.dags, options.defaultExecutor, request, new Date());
    await store.query("update dag_run set state = 'running' where dag_id = $1 and run_id = $2", [dagId, runId]);
    const { rows } = await store.query<{ id: string }>(
      `update task_instance set state = 'queued', try_number = $4, queued_dttm = now()
        where dag_id = $1 and run_id = $2 and task_id = $3 returning id`,
      [dagId, runId, taskId, given.tryNumber ?? 1],
    );
    const id = rows[0]?.id ?? "";
    return {
      id,
      dagId,
      runId,
      taskId,
      workload: await resources.tokens.sign("baram:workload", { subject: id }, 3_600),
      token: await resources.tokens.sign("baram:task", { subject: id }, options.tokenTtlSec),
    };
  }

  const start = (one: TestTry, worker = WORKER) =>
    ask("PATCH", `/task-instances/${one.id}/run`, {
      token: one.workload,
      body: { state: "running", start_date: NOW, ...worker },
    });

  async function running(...given: Parameters<typeof queued>): Promise<TestTry> {
    const one = await queued(...given);
    const answer = await start(one);
    if (answer.status !== 200) throw new Error(`the try did not start: ${JSON.stringify(answer)}`);
    return one;
  }

  return {
    app,
    ahead,
    logFolder,
    resources,
    options,
    ask,
    queued,
    start,
    running,
    report: (one: TestTry, body: object, token = one.token) =>
      ask("PATCH", `/task-instances/${one.id}/state`, { token, body: { end_date: NOW, ...body } }),
    finish: (one: TestTry, outcome: Outcome) =>
      ask("POST", "/baram/batch", { body: { items: [{ op: "finish", id: one.id, token: one.token, outcome }] } }),
    xcomPath: (one: TestTry, key: string) => `/xcoms/${one.dagId}/${one.runId}/${one.taskId}/${key}`,
    async instance(one: TestTry): Promise<JsonAnswer> {
      const sql = "select * from task_instance where dag_id = $1 and run_id = $2 and task_id = $3";
      return (await store.query(sql, [one.dagId, one.runId, one.taskId])).rows[0];
    },
    async history(one: TestTry): Promise<JsonAnswer[]> {
      const sql = "select * from task_instance_history where dag_id = $1 and run_id = $2 and task_id = $3 order by try_number";
      return (await store.query(sql, [one.dagId, one.runId, one.taskId])).rows;
    },
    async xcoms(one: TestTry): Promise<Record<string, JsonAnswer>> {
      const sql = `select x.key, x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.dag_id = $1 and r.run_id = $2 and x.task_id = $3`;
      const { rows } = await store.query<{ key: string; value: JsonAnswer }>(sql, [one.dagId, one.runId, one.taskId]);
      return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
    },
  };
}
