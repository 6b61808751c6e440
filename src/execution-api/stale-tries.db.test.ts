/** The id of a try is its fencing token: whatever a worker of a replaced or ended try writes is refused and changes nothing. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, NOW, type TestExecutionApi, type TestTry, WORKER } from "../../tests/support/execution-api.ts";
import { clearRun, finishByOutcome } from "../scheduler/commands/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, {
    dagId: "d",
    tasks: [
      { taskId: "a", retries: 1 },
      { taskId: "b", upstream: ["a"] },
    ],
  });
});
afterAll(() => database.drop());

const failed = { state: "failed" as const, retryable: true, error: { name: "E", message: "m", stack: null }, xcoms: [] };
const STALE_BY: Record<string, (one: TestTry) => Promise<unknown>> = {
  "a retry": (one) => api.finish(one, failed),
  "a reschedule": (one) => api.finish(one, { state: "up_for_reschedule", rescheduleDate: NOW }),
  "a clear": (one) => clearRun(database.store, "d", one.runId, { user: "ada" }),
  "a mark by hand": (one) => database.store.query("update task_instance set state = 'skipped' where id = $1", [one.id]),
  "the deletion of its run": (one) => database.store.query("delete from dag_run where run_id = $1", [one.runId]),
};
const WRITES: Record<string, (one: TestTry) => Promise<{ status: number; json: { detail: { reason: string } } | null }>> = {
  state: (one) => api.report(one, { state: "success" }),
  rtif: (one) => api.ask("PUT", `/task-instances/${one.id}/rtif`, { token: one.token, body: { stale: true } }),
  "xcom post": (one) => api.ask("POST", api.xcomPath(one, "k"), { token: one.token, body: "stale" }),
  "xcom delete": (one) => api.ask("DELETE", api.xcomPath(one, "k"), { token: one.token }),
  "skip-downstream": (one) =>
    api.ask("PATCH", `/task-instances/${one.id}/skip-downstream`, { token: one.token, body: { tasks: ["b"] } }),
};
const CALLS: Record<string, object> = {
  setXcom: { key: "k", value: "stale" },
  putRenderedFields: { fields: { stale: true } },
};

const everything = async (runId: string) => {
  const parts = [];
  for (const table of ["task_instance", "task_instance_history", "xcom", "rendered_task_instance_fields"]) {
    const sql = `select to_jsonb(t) - 'updated_at' as row from ${table} t join dag_run r on r.id = t.dag_run_id where r.run_id = $1 order by 1`;
    parts.push((await database.store.query(sql, [runId])).rows);
  }
  return parts;
};

test.each(Object.keys(STALE_BY))("after %s every write is refused with 409 and changes nothing", async (how) => {
  const one = await api.running("d", "a");
  await api.ask("POST", api.xcomPath(one, "k"), { token: one.token, body: "kept" });
  await STALE_BY[how]?.(one);
  const before = await everything(one.runId);
  for (const [name, write] of Object.entries(WRITES)) {
    const { status, json } = await write(one);
    expect(`${name} ${status} ${json?.detail.reason}`).toBe(`${name} 409 invalid_state`);
    expect(json?.detail).toHaveProperty("previous_state");
  }
  for (const [method, params] of Object.entries(CALLS)) {
    const { status, json } = await api.ask("POST", "/baram/call", { token: one.token, body: { method, params } });
    expect(`${method} ${status} ${json.detail.reason}`).toBe(`${method} 409 try_not_running`);
  }
  const finish = await api.finish(one, { state: "success", xcoms: [{ key: "k", value: "stale" }], skipTasks: ["b"] });
  expect(finish.json.items[0]).toMatchObject({ ok: false, status: 409 });
  const beat = await api.ask("PUT", `/task-instances/${one.id}/heartbeat`, {
    token: one.token,
    body: { hostname: "host-1", pid: 100 },
  });
  expect([409, 404]).toContain(beat.status);
  const beats = await api.ask("POST", "/baram/heartbeat", { body: { tries: [{ id: one.id, token: one.token }] } });
  expect(beats.json).toMatchObject({ running: [], lost: [one.id] });
  expect(await everything(one.runId)).toEqual(before);
});

test("who ended a try is told to its worker in every answer, and to nobody else", async () => {
  const one = await api.running("d", "a");
  await clearRun(database.store, "d", one.runId, { dagId: "other", runId: "its run", taskId: "again" });
  const why = 'cleared by task "again" of run "its run" of DAG "other"';
  const beat = (token: string) => api.ask("POST", "/baram/heartbeat", { body: { tries: [{ id: one.id, token }] } });
  expect((await beat(one.token)).json).toEqual({ running: [], lost: [one.id], reasons: { [one.id]: why } });
  const stranger = await api.running("d", "a");
  expect((await beat(stranger.token)).json).toEqual({ running: [], lost: [one.id] });
  const message = `Try ${one.id} is not running any more: ${why}. Nothing was written; stop it.`;
  const finish = await api.finish(one, { state: "success", xcoms: [], skipTasks: [] });
  expect(finish.json.items[0]).toMatchObject({ ok: false, message });
  const call = { method: "setXcom", params: { key: "k", value: 1 } };
  const called = await api.ask("POST", "/baram/call", { token: one.token, body: call });
  expect(called.json.detail.message).toBe(message);
  const write = await WRITES["xcom post"]?.(one);
  expect(write?.json?.detail).toMatchObject({ message });
});

test("a heartbeat of a try that was retried or cleared is told that it does not run", async () => {
  for (const how of ["a retry", "a clear", "a mark by hand"]) {
    const one = await api.running("d", "a");
    await STALE_BY[how]?.(one);
    const { status, json } = await api.ask("PUT", `/task-instances/${one.id}/heartbeat`, {
      token: one.token,
      body: { hostname: WORKER.hostname, pid: WORKER.pid },
    });
    expect(`${status} ${json.detail.reason}`).toBe("409 not_running");
  }
});

test("a write that races with the try's end waits for it, and is then refused", async () => {
  const write = {
    "xcom post": "insert into xcom",
    "xcom delete": "delete from xcom",
    rtif: "insert into rendered_task_instance_fields",
    "skip-downstream": "for share",
  };
  const watcher = database.open();
  for (const name of Object.keys(write)) {
    const one = await api.running("d", "a");
    await api.ask("POST", api.xcomPath(one, "k"), { token: one.token, body: "kept" });
    let asked: ReturnType<(typeof WRITES)[string]> | undefined;
    const statement = write[name as keyof typeof write];
    await database.store.transaction(async (tx) => {
      await tx.query("update task_instance set state = 'failed' where id = $1", [one.id]);
      asked = WRITES[name]?.(one);
      const deadline = Date.now() + 5_000;
      for (let waits = 0; waits === 0; ) {
        const { rows } = await watcher.query<{ waits: number }>(
          "select count(*)::int as waits from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ilike $1",
          [`%${statement}%`],
        );
        waits = rows[0]?.waits ?? 0;
        expect(Date.now(), `${name} never waited`).toBeLessThan(deadline);
      }
    });
    expect(`${name} ${(await asked)?.status}`).toBe(`${name} 409`);
    expect(await api.xcoms(one)).toEqual({ k: "kept" });
    expect((await api.instance({ ...one, taskId: "b" })).state).toBe(null);
  }
});

test("success that races with the verdict of a silent worker leaves exactly one outcome, 200 times", async () => {
  const lost = { ...failed, error: { name: "WorkerLostError", message: "no heartbeat", stack: null } };
  const other = database.open();
  const outcomes = { success: 0, up_for_retry: 0 };
  for (let round = 0; round < 200; round++) {
    const one = await api.running("d", "a");
    await database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour' where id = $1", [one.id]);
    const verdict = () =>
      finishByOutcome(other, api.resources.dags, [{ id: one.id, outcome: lost }], { leaving: ["running"], silentForSec: 300 });
    const report = () => api.report(one, { state: "success" });
    // Who is sent first alternates; who wins is the database's to say.
    const [ended, reported] =
      round % 2 === 0
        ? await Promise.all([verdict(), report()])
        : await Promise.all([report(), verdict()]).then(([a, b]) => [b, a] as const);
    const { state } = await api.instance(one);
    const history = await api.history(one);
    const { rows } = await database.store.query(
      "select e.state from task_event e join dag_run r on r.id = e.dag_run_id where r.run_id = $1 and e.task_id = 'a'",
      [one.runId],
    );
    expect(rows).toEqual([{ state }]);
    if (state === "success") {
      expect([reported.status, ended.length, history.length]).toEqual([204, 0, 0]);
      outcomes.success++;
    } else {
      expect([state, reported.status, ended.length, history.length]).toEqual(["up_for_retry", 409, 1, 1]);
      outcomes.up_for_retry++;
    }
  }
  // A race that one side always wins would show nothing.
  expect(Math.min(outcomes.success, outcomes.up_for_retry)).toBeGreaterThan(0);
});
