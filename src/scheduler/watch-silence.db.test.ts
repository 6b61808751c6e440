import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, type Rig, type RigOptions, trigger } from "../../tests/support/scheduler-rig.ts";
import { silentLogger } from "../platform/index.ts";
import { startJob, startTries } from "../store/index.ts";
import { requeueStuckTries } from "./recover.ts";
import { createSilenceWatch } from "./watch-silence.ts";

let database: TestDatabase;
let nowMs = 0;
beforeEach(async () => {
  nowMs = Date.now();
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const SILENT_SEC = 4;
const OUTAGE_SEC = 100;
const sql = (text: string, values: unknown[] = []) => database.store.query(text, values);
const states = async () =>
  (await sql("select task_id, state from task_instance order by task_id")).rows.map((row) => Object.values(row).join(" "));

/** A scheduler with a watch that a test drives; each of `tasks` is running on the host of its name. */
async function watched(given: RigOptions = {}, tasks = ["host-1"]) {
  const rig = await createRig(database, {
    work: () => null,
    clock: { now: () => nowMs },
    settings: { silentTrySec: SILENT_SEC, silentTryCheckSec: 1_000, apiBeatSec: 0.5, apiOutageSec: OUTAGE_SEC },
    ...given,
  });
  let backs = 0;
  const watch = createSilenceWatch(rig.resources, rig.options, () => backs++);
  await saveDagFixture(database.store, { dagId: "d", tasks: tasks.map((taskId) => ({ taskId, retries: 1 })) });
  await trigger(database.store, "d");
  await rig.drain();
  for (const { taskId, id } of await tries(rig))
    await startTries(database.store, [{ id, hostname: taskId, unixname: "u", pid: 7 }]);
  return { rig, check: () => watch.check(), backs: () => backs };
}

const tries = async (rig: Rig) => rig.executor.handed.map(({ ti }) => ti);
const silentFor = (sec: number, taskId = "%") =>
  sql("update task_instance set last_heartbeat_at = now() - make_interval(secs => $1) where task_id like $2", [sec, taskId]);
/** An API server that has been up for a while, and gave its last heartbeat so many seconds ago. */
async function apiServer(silentSec: number, upSec = 3_600): Promise<number> {
  const id = await startJob(database.store, { type: "ApiServerJob", hostname: "api", pid: 1 });
  await sql("update job set start_date = now() - make_interval(secs => $2) where id = $1", [id, upSec]);
  await beat(id, silentSec);
  return id;
}
const beat = (id: number, silentSec = 0) =>
  sql("update job set latest_heartbeat = now() - make_interval(secs => $2) where id = $1", [id, silentSec]);

test("with the API in order, a silent try is failed, and its executor is told to stop it", async () => {
  const { rig, check } = await watched();
  await apiServer(0);
  await silentFor(SILENT_SEC - 1);
  expect(await check()).toBe(0);
  await silentFor(SILENT_SEC + 1);
  expect(await check()).toBe(1);
  expect(rig.executor.revoked).toEqual((await tries(rig)).map(({ id }) => id));
  expect(await states()).toEqual(["host-1 up_for_retry"]);
});

test("an API server that gives its heartbeat seldom is not away between two of them", async () => {
  const settings = { silentTrySec: SILENT_SEC, silentTryCheckSec: 1_000, apiBeatSec: 30, apiOutageSec: OUTAGE_SEC };
  const { rig, check } = await watched({ settings });
  await apiServer(29);
  await check();
  expect(rig.resources.outage.isOn).toBe(false);
  await silentFor(SILENT_SEC + 1);
  expect(await check()).toBe(1);
});

test("while no API server lives, nobody is failed and nothing is launched; after it tries get their full time", async () => {
  const { rig, check, backs } = await watched();
  const api = await apiServer(SILENT_SEC);
  await silentFor(SILENT_SEC + 10);
  expect(await check()).toBe(0);
  await saveDagFixture(database.store, { dagId: "e", tasks: [{ taskId: "waits", callbacks: { onFailure: true } }] });
  await trigger(database.store, "e");
  await rig.drain();
  expect(await states()).toEqual(["host-1 running", "waits scheduled"]);

  await beat(api);
  nowMs += 1_000;
  expect(await check()).toBe(0);
  expect(backs()).toBe(1);
  await rig.drain();
  expect(await states()).toEqual(["host-1 running", "waits queued"]);
  nowMs += (SILENT_SEC - 2) * 1_000;
  expect(await check()).toBe(0);
  nowMs += 2_000;
  expect(await check()).toBe(1);
});

test("an outage does not keep a try for longer than workers go on in it", async () => {
  const { check } = await watched();
  await apiServer(SILENT_SEC);
  await silentFor(SILENT_SEC + OUTAGE_SEC - 1);
  expect(await check()).toBe(0);
  await silentFor(SILENT_SEC + OUTAGE_SEC + 1);
  expect(await check()).toBe(1);
});

test("an API server that has just started has not had the time to hear of anybody", async () => {
  const { rig, check } = await watched();
  const api = await apiServer(0, 1);
  await silentFor(SILENT_SEC + 10);
  expect(await check()).toBe(0);
  expect(rig.resources.outage.isOn).toBe(false);
  await sql("update job set start_date = now() - make_interval(secs => $2) where id = $1", [api, SILENT_SEC + 1]);
  expect(await check()).toBe(1);
});

test("an API that does not answer twice in a row is away, whatever its jobs say, unless workers reach it", async () => {
  const answers = ["refused", null, "refused", "refused", null, "refused", "refused", "refused"];
  const { rig, check } = await watched({ probeApi: async () => answers.shift() ?? null });
  await apiServer(0);
  await silentFor(2);
  const seen: boolean[] = [];
  for (let round = 0; round < 5; round++) {
    await check();
    seen.push(rig.resources.outage.isOn);
  }
  expect(seen).toEqual([false, false, false, true, false]);
  await silentFor(0);
  for (let round = 0; round < 3; round++) await check();
  expect(rig.resources.outage.isOn).toBe(false);
});

test("nobody is heard of on two hosts: that is no fault of a try; on one host it may be", async () => {
  const { rig, check } = await watched({}, ["host-1", "host-2"]);
  await apiServer(0);
  await silentFor(SILENT_SEC + 10);
  expect(await check()).toBe(0);
  // Launches may show whether it is the network.
  expect(rig.resources.outage.isOn).toBe(false);
  nowMs += (SILENT_SEC + 1) * 1_000;
  await silentFor(0, "host-2");
  expect(await check()).toBe(1);
  expect(await states()).toEqual(["host-1 up_for_retry", "host-2 running"]);
});

test("a queued try is not blamed for an outage, in which its worker could not start it", async () => {
  const { rig, check } = await watched();
  const api = await apiServer(SILENT_SEC);
  await saveDagFixture(database.store, { dagId: "q", tasks: [{ taskId: "queued" }] });
  await trigger(database.store, "q");
  await rig.drain();
  await sql("update task_instance set queued_dttm = now() - interval '1 hour' where task_id = 'queued'");
  await check();
  expect(await requeueStuckTries(rig.resources, rig.options)).toBe(0);
  await beat(api);
  await check();
  nowMs += (SILENT_SEC + 1) * 1_000;
  expect(await requeueStuckTries(rig.resources, rig.options)).toBe(1);
});

test("the outage is told once, with its reason, and its end", async () => {
  const told: string[] = [];
  const note = (facts: unknown, text?: string) => void told.push(`${text}: ${JSON.stringify(facts)}`);
  const { check } = await watched({ logger: { ...silentLogger, error: note, info: note } as typeof silentLogger });
  told.length = 0;
  const api = await apiServer(SILENT_SEC);
  for (let round = 0; round < 3; round++) await check();
  await beat(api);
  for (let round = 0; round < 3; round++) await check();
  expect(told.filter((text) => text.includes("execution API"))).toEqual([
    expect.stringMatching(/is away: nothing is launched.*no API server runs: all were stopped, or gave no heartbeat for 2 s/),
    expect.stringContaining("is back"),
  ]);
});
