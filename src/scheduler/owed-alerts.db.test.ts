/** What a failed try owes is written down with its end: e-mails, and callbacks that no runner could run. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, type Rig, trigger } from "../../tests/support/scheduler-rig.ts";
import type { EmailRequest, Outcome } from "../contracts/index.ts";
import { startTries } from "../store/index.ts";
import { createDagCache, finishByOutcome } from "./index.ts";
import { requeueStuckTries } from "./recover.ts";
import { failSilentTries } from "./watch-silence.ts";

let database: TestDatabase;
let rig: Rig;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  rig = await createRig(database, { work: () => null });
});
afterEach(() => database.drop());

const TO = ["ada@example.com"];
const callbacks = { onFailure: true, onRetry: true };
const failure = (rest: Partial<Extract<Outcome, { state: "failed" }>> = {}): Outcome => ({
  ...{
    state: "failed",
    retryable: true,
    xcoms: [],
    error: { name: "Error", message: "no rows", stack: "Error: no rows\n  at x" },
  },
  ...rest,
});

const rowsOf = async <T>(table: string) =>
  (await database.store.query<{ data: T }>(`select data from ${table} order by created_at`)).rows.map(({ data }) => data);
const emails = () => rowsOf<EmailRequest>("email_request");
const owedCallbacks = () => rowsOf<{ callback: string; reason: string }>("callback_request");

async function idOf(taskId = "t"): Promise<string> {
  return (
    (await database.store.query<{ id: string }>("select id from task_instance where task_id = $1", [taskId])).rows[0]?.id ?? ""
  );
}

/** One task, queued; started unless told otherwise. */
async function begin(task: object, isStarted = true): Promise<string> {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t", email: TO, callbacks, ...task }] });
  await trigger(database.store, "d");
  await rig.drain();
  if (isStarted) await startAgain();
  return idOf();
}

async function startAgain(): Promise<void> {
  await startTries(database.store, [{ id: await idOf(), hostname: "host-7", unixname: "u", pid: 77 }]);
}

const end = async (outcome: Outcome) => finishByOutcome(database.store, createDagCache(), [{ id: await idOf(), outcome }]);

test("a reported failure owes one mail per end, retry and failure, and no callback: its runner runs those", async () => {
  await begin({ retries: 1, retryDelaySec: 0 });
  await end(failure());
  await rig.drain();
  await startAgain();
  await end(failure());
  const [retry, final] = await emails();
  expect(retry).toMatchObject({ kind: "retry", isByDefault: true, to: TO, dagId: "d", taskId: "t", tryNumber: 1, maxTries: 1 });
  expect(final).toMatchObject({ kind: "failure", tryNumber: 2, hostname: "host-7", error: { message: "no rows" } });
  expect(await emails()).toHaveLength(2);
  expect(await owedCallbacks()).toEqual([]);
});

test("a failure that may not be retried owes the mail of a failure though retries are left", async () => {
  await begin({ retries: 5 });
  await end(failure({ retryable: false }));
  expect(await emails()).toMatchObject([{ kind: "failure", tryNumber: 1, maxTries: 5 }]);
});

test("a runner that died owes its callback and the mail", async () => {
  await begin({ retries: 1 });
  await end(failure({ owesCallback: true }));
  expect(await owedCallbacks()).toMatchObject([{ callback: "onRetry", reason: "no rows" }]);
  expect(await emails()).toHaveLength(1);
});

test("a stale report owes nothing: what did not end the try is not told", async () => {
  const id = await begin({});
  await end(failure());
  await finishByOutcome(database.store, createDagCache(), [{ id, outcome: failure({ owesCallback: true }) }]);
  expect(await emails()).toHaveLength(1);
  expect(await owedCallbacks()).toEqual([]);
});

test("emailOnFailure and emailOnRetry false keep quiet; success and tasks without addresses owe nothing", async () => {
  await begin({ retries: 1, retryDelaySec: 0, emailOnRetry: false, emailOnFailure: true });
  await end(failure());
  expect(await emails()).toEqual([]);
  await rig.drain();
  await startAgain();
  await end(failure());
  expect(await emails()).toMatchObject([{ kind: "failure", isByDefault: false }]);
  await saveDagFixture(database.store, {
    dagId: "quiet",
    tasks: [{ taskId: "mute", email: TO, emailOnFailure: false }, { taskId: "none" }],
  });
  await trigger(database.store, "quiet");
  await rig.drain();
  for (const taskId of ["mute", "none"]) {
    const id = await idOf(taskId);
    await startTries(database.store, [{ id, hostname: "h", unixname: "u", pid: 1 }]);
    expect(await finishByOutcome(database.store, createDagCache(), [{ id, outcome: failure() }])).toHaveLength(1);
  }
  expect(await emails()).toHaveLength(1);
});

test("a lost worker owes mail and callback once, however many schedulers find it", async () => {
  await begin({});
  await database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour'");
  const others = [rig, await createRig(database), await createRig(database)];
  await Promise.all(others.map((one) => failSilentTries(one.resources, one.options)));
  expect(await emails()).toMatchObject([{ kind: "failure", error: { name: "WorkerLostError" } }]);
  expect(await owedCallbacks()).toMatchObject([{ callback: "onFailure" }]);
});

test("a try that nobody ever started owes mail and callback when it is failed", async () => {
  await begin({}, false);
  await database.store.query("update task_instance set queued_dttm = now() - interval '1 hour', queue_attempts = 2");
  await requeueStuckTries(rig.resources, rig.options);
  expect(await emails()).toMatchObject([{ kind: "failure", startDate: null, error: { name: "StuckInQueuedError" } }]);
  expect(await owedCallbacks()).toMatchObject([{ callback: "onFailure" }]);
});

test("an end that cannot be written leaves no mail, and one whose mail cannot be written is no end", async () => {
  await begin({});
  await database.store.query("alter table email_request add constraint full_up check (false)");
  await expect(end(failure())).rejects.toThrow("full_up");
  const { rows } = await database.store.query<{ state: string }>("select state from task_instance");
  expect(rows).toEqual([{ state: "running" }]);
  await database.store.query("alter table email_request drop constraint full_up");
  expect(await end(failure())).toHaveLength(1);
  expect(await emails()).toHaveLength(1);
});
