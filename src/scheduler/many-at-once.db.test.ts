import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, trigger } from "../../tests/support/scheduler-rig.ts";
import { insertCallback } from "../store/index.ts";
import { reviveLifelessRuns } from "./lazarus.ts";
import { requeueStuckTries, timeOutLateWaits } from "./recover.ts";
import { failSilentTries } from "./watch-silence.ts";

// Limits of one statement are no limits of one check: what stands behind the first batch does not wait for the next check.

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const run = (sql: string) => database.store.query(sql);
const count = async (sql: string) =>
  (await database.store.query<{ n: number }>(`select count(*)::int as n from ${sql}`)).rows[0]?.n;

/** One run with so many tries in that state. */
async function seed(tries: number, set: string) {
  const tasks = Array.from({ length: tries }, (_, at) => ({ taskId: `t${at}` }));
  await saveDagFixture(database.store, { dagId: "d", tasks });
  await trigger(database.store, "d");
  await run(`update dag_run set state = 'running', start_date = now()`);
  await run(`update task_instance set try_number = 1, ${set}`);
  return createRig(database, { work: () => null });
}

test("1,000 silent tries are failed by one check", { timeout: 60_000 }, async () => {
  const rig = await seed(1_000, "state = 'running', last_heartbeat_at = now() - interval '1 h'");
  expect(await failSilentTries(rig.resources, rig.options)).toBe(1_000);
  expect(await count("task_instance where state = 'failed'")).toBe(1_000);
});

test("tries that nobody starts are taken back by one check, however many", async () => {
  const rig = await seed(650, "state = 'queued', queued_dttm = now() - interval '1 h'");
  expect(await requeueStuckTries(rig.resources, rig.options)).toBe(650);
  expect(await count("task_instance where state = 'scheduled'")).toBe(650);
});

test("triggers that take too long are ended by one check, however many", async () => {
  const rig = await seed(1_100, "state = 'deferred', trigger_timeout = now() - interval '1 h'");
  expect(await timeOutLateWaits(rig.resources, rig.options)).toBe(1_100);
});

test("halted runs are put back on their way by one check, those behind runs that rightly wait too", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  for (let at = 0; at < 130; at++) await trigger(database.store, "d");
  await run("update dag_run set state = 'running', start_date = now() - interval '1 h'");
  await run("update task_instance set updated_at = now() - interval '1 h'");
  // The first 60 wait for a retry's time.
  await run(
    "update task_instance set state = 'up_for_retry', next_attempt_at = now() + interval '1 h' where dag_run_id in (select id from dag_run order by id limit 60)",
  );
  await run("delete from task_event");
  const rig = await createRig(database);
  expect(await reviveLifelessRuns(rig.resources, rig.options)).toEqual({ revived: 70, failed: 0 });
});

test("owed callbacks and queued runs beyond a pass's limit do not wait for the next second", async () => {
  const version = await saveDagFixture(database.store, { dagId: "d0", tasks: [{ taskId: "t" }] });
  for (let at = 1; at < 45; at++) await saveDagFixture(database.store, { dagId: `d${at}`, tasks: [{ taskId: "t" }] });
  for (let at = 0; at < 45; at++) await trigger(database.store, `d${at}`);
  const data = { kind: "dag", callback: "onSuccess", reason: "success" };
  const { rows } = await database.store.query<{ id: number }>("select id from dag_run order by id limit 1");
  for (let at = 0; at < 45; at++) await insertCallback(database.store, { dagRunId: rows[0]?.id ?? 0, versionId: version, data });
  const rig = await createRig(database, { work: () => null });
  expect(await rig.pass()).toMatchObject({ again: "full" });
  expect(await rig.pass()).toMatchObject({ again: "full" });
  await rig.pass();
  expect(await count("callback_request where state = 'queued'")).toBe(45);
  expect(await count("dag_run where state = 'running'")).toBe(45);
});
