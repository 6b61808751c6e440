/** Triggerers with the real store, many triggers, and each other. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { countTriggers, deferredRows, deferTasks, type GivenDeferral } from "../../tests/support/deferred-run.ts";
import { createGate } from "../../tests/support/scheduler-rig.ts";
import { loadConfig, readEncryptionKey } from "../config/index.ts";
import { startTriggererPart, type TriggererPart } from "../main/index.ts";
import { silentLogger } from "../platform/index.ts";
import { type Cipher, clearInstances, createCipher, findRun, type Store } from "../store/index.ts";
import type { PausePoint } from "./index.ts";

let database: TestDatabase;
let store: Store;
let home: string;
let cipher: Cipher;
let parts: TriggererPart[];
beforeEach(async () => {
  database = await createTestDatabase();
  store = database.store;
  home = mkdtempSync(join(tmpdir(), "baram-triggerer-"));
  cipher = createCipher(readEncryptionKey(configOf()));
  parts = [];
});
afterEach(async () => {
  await Promise.all(parts.map((part) => part.stop()));
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

const configOf = (environment: Record<string, string> = {}) =>
  loadConfig({
    BARAM_HOME: home,
    BARAM__TRIGGERER__JOB_HEARTBEAT_SEC: "0.2",
    BARAM__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: "0.2",
    ...environment,
  });

async function start(
  environment: Record<string, string> = {},
  pause?: (point: PausePoint) => Promise<void>,
  db = database.open(),
): Promise<TriggererPart> {
  const part = await startTriggererPart(configOf(environment), db, silentLogger, undefined, pause);
  parts.push(part);
  return part;
}

const later = { kwargs: { moment: "2999-01-01T00:00:00Z" } };
const states = async (runId: string) => (await deferredRows(store, runId)).map((row) => row.state);

test("1,200 triggers of one triggerer: taken in few statements, idle while they wait, and told in few when they are due", async () => {
  const many = (given: GivenDeferral) => Array.from({ length: 1_200 }, () => given);
  await deferTasks(store, "waiting", many(later), cipher.encrypt);
  const own = database.open();
  const { triggerer } = await start({ BARAM__TRIGGERER__CAPACITY: "3000" }, undefined, own);
  await expect.poll(() => triggerer.running(), { timeout: 15_000, interval: 10 }).toBe(1_200);
  expect(own.statementCount()).toBeLessThan(100);
  // The last lines of 1,200 logs are on their way to the disk.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const before = { sent: own.statementCount(), cpu: process.cpuUsage() };
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const cpu = process.cpuUsage(before.cpu);
  expect(own.statementCount() - before.sent, "statements in one idle second").toBeLessThan(60);
  expect((cpu.user + cpu.system) / 1_000, "ms of CPU in one idle second").toBeLessThan(400);
  const sentBefore = own.statementCount();
  const due = await deferTasks(store, "due", many({ kwargs: { moment: new Date().toISOString() } }), cipher.encrypt);
  await expect.poll(async () => new Set(await states(due)), { timeout: 15_000 }).toEqual(new Set(["scheduled"]));
  expect(own.statementCount() - sentBefore).toBeLessThan(200);
  await expect.poll(() => triggerer.running()).toBe(1_200);
  expect(await countTriggers(store)).toBe(1_200);
}, 60_000);

test("two triggerers share what there is, and one that ends hands its part over at once", async () => {
  const [first, second] = [await start(), await start()];
  const waiting = Array.from({ length: 40 }, () => later);
  await deferTasks(store, "shared", waiting, cipher.encrypt);
  await expect.poll(() => first.triggerer.running() + second.triggerer.running(), { timeout: 8_000 }).toBe(40);
  expect(Math.min(first.triggerer.running(), second.triggerer.running())).toBeGreaterThan(0);
  await first.stop();
  await expect.poll(() => second.triggerer.running(), { timeout: 2_000 }).toBe(40);
}, 30_000);

test("a triggerer that was declared dead and lives on drops its triggers, and what it tells late counts once", async () => {
  const runId = await deferTasks(store, "late", [{ kwargs: { moment: new Date().toISOString() } }, later], cipher.encrypt);
  const gate = createGate();
  const first = await start({ BARAM__TRIGGERER__JOB_HEARTBEAT_SEC: "60" }, (point) =>
    point === "before-fire" ? gate.pass() : Promise.resolve(),
  );
  await gate.entered;
  // Its event is on the way when another takes over.
  await store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [first.triggerer.jobId()]);
  const second = await start();
  await expect.poll(() => states(runId), { timeout: 5_000 }).toEqual(["scheduled", "deferred"]);
  await expect.poll(() => second.triggerer.running(), { timeout: 5_000 }).toBe(1);
  const before = await deferredRows(store, runId);
  await store.query("update task_instance set state = 'queued' where run_id = $1 and task_id = 't0'", [runId]);
  gate.open();
  await expect.poll(() => first.triggerer.running()).toBe(1);
  expect((await deferredRows(store, runId))[0]).toMatchObject({ state: "queued", id: before[0]?.id });
}, 30_000);

test("one whose job row was ended registers a new job", async () => {
  await deferTasks(store, "buried", [later], cipher.encrypt);
  const { triggerer } = await start();
  await expect.poll(() => triggerer.running(), { timeout: 5_000 }).toBe(1);
  const old = triggerer.jobId();
  await store.query("update job set state = 'failed' where id = $1", [old]);
  await expect.poll(() => triggerer.jobId(), { timeout: 5_000 }).not.toBe(old);
  const owner = async () => (await store.query<{ id: number }>("select triggerer_id as id from trigger")).rows[0]?.id;
  await expect.poll(owner, { timeout: 5_000 }).toBe(triggerer.jobId());
}, 30_000);

test("a trigger whose task was cleared is cancelled", async () => {
  const runId = await deferTasks(store, "cleared", [later, later], cipher.encrypt);
  const { triggerer } = await start({ BARAM__TRIGGERER__JOB_HEARTBEAT_SEC: "60" });
  await expect.poll(() => triggerer.running(), { timeout: 5_000 }).toBe(2);
  await clearInstances(store, (await findRun(store, "cleared", runId))?.id ?? 0, ["t0"], null, "cleared");
  await expect.poll(() => triggerer.running(), { timeout: 3_000 }).toBe(1);
}, 30_000);

test("a trigger that is unknown, or whose options cannot be read, fails its task with the reason", async () => {
  const runId = await deferTasks(
    store,
    "wrong",
    [{ classpath: "baram.triggers.NoSuch" }, { kwargs: { moment: "tomorrow" } }, { isUserDefined: true, classpath: "Gone" }],
    cipher.encrypt,
  );
  const sealed = await deferTasks(store, "sealed", [later]);
  await start();
  await expect
    .poll(async () => [...(await states(runId)), ...(await states(sealed))], { timeout: 8_000 })
    .toEqual(Array(4).fill("scheduled"));
  const failures = [...(await deferredRows(store, runId)), ...(await deferredRows(store, sealed))].map((row) => row.nextFailure);
  expect(failures[0]).toContain('no built-in trigger "baram.triggers.NoSuch"');
  expect(failures[1]).toContain("moment");
  expect(failures[2]).toContain('registers no trigger "Gone"');
  expect(failures[3]).toContain("cannot be decrypted");
}, 30_000);

test("file triggers see a file that comes, and the try's log tells of it", async () => {
  const path = join(home, "arrives.csv");
  const runId = await deferTasks(
    store,
    "files",
    [{ classpath: "baram.triggers.FileTrigger", kwargs: { path, pollIntervalSec: 0.05 } }],
    cipher.encrypt,
  );
  const { triggerer } = await start();
  await expect.poll(() => triggerer.running(), { timeout: 5_000 }).toBe(1);
  writeFileSync(path, "");
  await expect.poll(() => states(runId), { timeout: 5_000 }).toEqual(["scheduled"]);
  const log = join(configOf().logging.base_log_folder, `dag_id=files/run_id=${runId}/task_id=t0/attempt=1.log`);
  await expect.poll(() => readFileSync(log, "utf8")).toContain("fired; the task goes on");
}, 30_000);
