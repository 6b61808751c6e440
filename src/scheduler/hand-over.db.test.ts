import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import type { FakeExecutor } from "../../tests/support/fake-executor.ts";
import { createRig, createSchedulerDatabase, runState, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import { WORKLOAD_MAX_BYTES } from "../contracts/index.ts";
import type { VerifiedToken } from "../platform/index.ts";
import { createDagCache, createDagRun } from "./commands/index.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

test("a workload over the size limit fails its task with that reason, without a retry, and holds up no other", async () => {
  const executorConfig = { padding: "x".repeat(WORKLOAD_MAX_BYTES) };
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "large", executorConfig, retries: 3 }, { taskId: "small" }],
  });
  const notes: string[] = [];
  const rig = await createRig(database, { noteInTryLog: async (path, message) => void notes.push(`${path}: ${message}`) });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  expect(await runState(database.store, "d", runId)).toBe("failed");
  expect(await statesOf(database.store, runId)).toEqual({ large: "failed", small: "success" });
  expect(rig.executor.handed.map(({ ti }) => ti.taskId)).toEqual(["small"]);
  const reason =
    /its workload is \d{4} bytes, more than the 8192 that every executor can carry; its executorConfig takes 8206 of them: make that smaller/;
  expect(notes).toEqual([expect.stringMatching(reason)]);
  const { rows } = await database.store.query("select event, task_id, extra from log where task_id = 'large'");
  expect(rows).toEqual([{ event: "launch failed", task_id: "large", extra: { reason: expect.stringMatching(reason) } }]);
});

test("an orphan whose workload is over the limit fails too, once its scheduler is dead", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "large" }] });
  const runId = await trigger(database.store, "d");
  const first = await createRig(database, { work: () => null });
  await first.pass();
  await database.store.query("update job set state = 'failed'");
  // As if an older build, which did not look at the size, had queued it.
  await database.store.query(
    `update serialized_dag set data = jsonb_set(data::jsonb, '{tasks,0,executorConfig}', jsonb_build_object('padding', repeat('x', 9000)))::json`,
  );
  const heir = await createRig(database);
  const { adoptOrphans } = await import("./recover.ts");
  expect(await adoptOrphans(heir.resources, heir.options)).toBe(1);
  await heir.drain();
  expect(await statesOf(database.store, runId)).toEqual({ large: "failed" });
  expect(heir.executor.handed).toHaveLength(0);
});

test("the longest ids with the largest executorConfig and queue name that a DAG file may have fit into a workload", async () => {
  const id = "i".repeat(250);
  const executorConfig = { padding: "x".repeat(WORKLOAD_MAX_BYTES / 2 - '{"padding":""}'.length) };
  await saveDagFixture(database.store, { dagId: id, tasks: [{ taskId: id, executorConfig, queue: "q".repeat(250) }] });
  const rig = await createRig(database);
  const request = { dagId: id, runId: "r".repeat(250), logicalDate: null, triggeredBy: "test" as const };
  await createDagRun(database.store, createDagCache(), "LocalExecutor", request, new Date());
  await rig.drain();
  expect(rig.executor.handed).toHaveLength(1);
  expect(Buffer.byteLength(JSON.stringify(rig.executor.handed[0]))).toBeLessThan(WORKLOAD_MAX_BYTES);
});

test("a workload's start token has an end, and that of an executor with a broker says that it needs a worker's own token", async () => {
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [{ taskId: "local" }, { taskId: "queued", executor: "QueueExecutor" }],
  });
  const rig = await createRig(database, {
    work: () => null,
    settings: { startTokenTtlSec: 1_000 },
    further: [{ name: "QueueExecutor", isStartedByWorkers: true, work: () => null }],
  });
  await trigger(database.store, "d");
  await rig.pass();
  const handed = [...rig.resources.executors.values()].flatMap((one) => (one as FakeExecutor).handed);
  const tokens = new Map<string, VerifiedToken>();
  for (const { ti, token } of handed) tokens.set(ti.taskId, await rig.resources.tokens.verify("baram:workload", token));
  const nowSec = Date.now() / 1_000;
  for (const { expiresAt } of tokens.values()) expect(Math.abs(expiresAt - nowSec - 1_000)).toBeLessThan(60);
  expect([tokens.get("local")?.needsWorker, tokens.get("queued")?.needsWorker]).toEqual([undefined, true]);
  // Another scheduler that adopts them signs the same.
  await database.store.query("update job set state = 'failed'");
  const { workloadsOf } = await import("./hand-over.ts");
  const { lockQueued } = await import("../store/index.ts");
  const again = await workloadsOf(
    rig.resources,
    rig.options,
    await lockQueued(
      database.store,
      handed.map(({ ti }) => ti.id),
    ),
  );
  for (const { workload } of again.workloads) {
    const { needsWorker } = await rig.resources.tokens.verify("baram:workload", workload.token);
    expect(needsWorker === true).toBe(workload.ti.taskId === "queued");
  }
});
