import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, type Rig, runState, statesOf, trigger } from "../../tests/support/scheduler-rig.ts";
import type { OrphanTry } from "../executors/index.ts";
import { beatTries, endedTries, ORPHANS_MAX, startTries } from "../store/index.ts";
import type { Scheduler } from "./index.ts";
import { adoptOrphans, requeueStuckTries, takeExecutorEvents } from "./recover.ts";
import { failSilentTries } from "./watch-silence.ts";

let database: TestDatabase;
let scheduler: Scheduler | null = null;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(async () => {
  await scheduler?.stop();
  scheduler = null;
  await database.drop();
});

const callbacks = { onFailure: true, onRetry: true };
const count = async (sql: string) =>
  (await database.store.query<{ n: number }>(`select count(*)::int as n from ${sql}`)).rows[0]?.n;
const tryOf = async (taskId: string) =>
  (
    await database.store.query<{ id: string; state: string | null; n: number }>(
      "select id, state, try_number as n from task_instance where task_id = $1",
      [taskId],
    )
  ).rows[0] ?? { id: "", state: null, n: 0 };

/** A DAG with one task that is in the executor's hands, and started. */
async function running(rig: Rig, task: object = {}): Promise<string> {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t", callbacks, ...task }] });
  const runId = await trigger(database.store, "d");
  await rig.drain();
  const { id } = await tryOf("t");
  expect(await startTries(database.store, [{ id, hostname: "host-7", unixname: "u", pid: 77 }])).toHaveLength(1);
  return runId;
}
const silence = () => database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour'");
const idle = { work: () => null };

test("of three schedulers that find the same dead try exactly one takes it: one history row, one callback, one new try", async () => {
  const rigs = [await createRig(database, idle), await createRig(database, idle), await createRig(database, idle)];
  const [first] = rigs;
  if (!first) throw new Error("no rig");
  await running(first, { retries: 3, retryDelaySec: 600 });
  for (let round = 1; round <= 3; round++) {
    const { id } = await tryOf("t");
    await silence();
    const taken = await Promise.all(rigs.map((rig) => failSilentTries(rig.resources, rig.options)));
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(1);
    expect(await count("task_instance_history")).toBe(round);
    expect(await count("callback_request")).toBe(round);
    const after = await tryOf("t");
    expect(after).toMatchObject({ state: "up_for_retry", n: round });
    expect(after.id).not.toBe(id);
    await database.store.query("update task_instance set next_attempt_at = now()");
    await first.drain();
    await startTries(database.store, [{ id: (await tryOf("t")).id, hostname: "host-7", unixname: "u", pid: 77 }]);
  }
  const { rows } = await database.store.query<{ reason: string }>("select distinct reason from task_instance_history");
  expect(rows[0]?.reason).toMatch(/^WorkerLostError: no heartbeat for \d+ s from host-7, process 77/);
});

test("a dead try without retries left fails, and owes onFailure", async () => {
  const rig = await createRig(database, idle);
  const runId = await running(rig);
  await silence();
  await failSilentTries(rig.resources, rig.options);
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ t: "failed" });
  expect(await runState(database.store, "d", runId)).toBe("failed");
  const { rows } = await database.store.query<{ data: { callback: string } }>("select data from callback_request");
  expect(rows.map((row) => row.data.callback)).toEqual(["onFailure"]);
});

test("a heartbeat that is written while the try is being taken wins, and nothing of the taking stays", async () => {
  const rig = await createRig(database, idle);
  await running(rig);
  await silence();
  const { id } = await tryOf("t");
  let taking: Promise<number> = Promise.resolve(0);
  await database.store.transaction(async (tx) => {
    expect(await beatTries(tx, [id])).toEqual([id]);
    taking = failSilentTries(rig.resources, rig.options);
    await expect
      .poll(async () => count("pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"))
      .toBe(1);
  });
  expect(await taking).toBe(0);
  expect(await tryOf("t")).toMatchObject({ id, state: "running" });
  expect(await count("task_instance_history")).toBe(0);
  expect(await count("callback_request")).toBe(0);
});

test("a try that is taken first refuses the heartbeat that comes a moment later", async () => {
  const rig = await createRig(database, idle);
  await running(rig, { retries: 1 });
  await silence();
  const { id } = await tryOf("t");
  expect(await failSilentTries(rig.resources, rig.options)).toBe(1);
  expect(await beatTries(database.store, [id])).toEqual([]);
});

test("one poisoned DAG among the dead tries does not keep the others from being taken", async () => {
  const rig = await createRig(database, idle);
  for (const dagId of ["bad", "good"]) {
    await saveDagFixture(database.store, { dagId, tasks: [{ taskId: dagId, callbacks, retries: dagId === "bad" ? 1 : 0 }] });
    await trigger(database.store, dagId);
  }
  await rig.drain();
  for (const taskId of ["bad", "good"])
    await startTries(database.store, [{ id: (await tryOf(taskId)).id, hostname: "h", unixname: "u", pid: 1 }]);
  // The bad one comes first, as the check looks at tries in the order of their ids.
  await database.store.query("update task_instance set id = '00000000-0000-4000-8000-000000000000' where task_id = 'bad'");
  await database.store.query("update serialized_dag set data = '[]' where dag_id = 'bad'");
  await silence();
  const late = await createRig(database, idle);
  expect(await failSilentTries(late.resources, late.options)).toBe(2);
  expect((await tryOf("good")).state).toBe("failed");
  // Its retry waits for the row to be repaired; it does not hold a slot meanwhile.
  expect((await tryOf("bad")).state).toBe("up_for_retry");
});

test("a try that nobody starts is taken back twice under a new id, then fails; its executor is told", async () => {
  const rig = await createRig(database, idle);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  const runId = await trigger(database.store, "d");
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    await rig.drain();
    const one = await tryOf("t");
    expect(one).toMatchObject({ state: "queued", n: 1 });
    ids.push(one.id);
    expect(await requeueStuckTries(rig.resources, rig.options), "before its time").toBe(0);
    await database.store.query("update task_instance set queued_dttm = now() - interval '1 hour'");
    expect(await requeueStuckTries(rig.resources, rig.options)).toBe(1);
  }
  expect(new Set(ids).size).toBe(3);
  expect(rig.executor.revoked).toEqual(ids);
  await rig.drain();
  expect(await statesOf(database.store, runId)).toEqual({ t: "failed" });
  expect(await runState(database.store, "d", runId)).toBe("failed");
});

test("of three schedulers that find a stuck try at once, one takes it back each time, and one gives it up, with one callback", async () => {
  const rigs = [await createRig(database, idle), await createRig(database, idle), await createRig(database, idle)];
  const [first] = rigs;
  if (!first) throw new Error("no rig");
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t", callbacks }] });
  const runId = await trigger(database.store, "d");
  const ids: string[] = [];
  for (let round = 0; round < 3; round++) {
    await first.drain();
    ids.push((await tryOf("t")).id);
    await database.store.query("update task_instance set queued_dttm = now() - interval '1 hour'");
    await Promise.all(rigs.map((rig) => requeueStuckTries(rig.resources, rig.options)));
    expect(await tryOf("t")).toMatchObject({ state: round < 2 ? "scheduled" : "failed", n: 1 });
    expect(await count(`task_instance where queue_attempts = ${Math.min(round + 1, 2)}`), "counted once").toBe(1);
  }
  expect(new Set(ids).size).toBe(3);
  expect(await count("callback_request")).toBe(1);
  expect(await count("log where event = 'stuck in queued'")).toBe(1);
  await first.drain();
  expect(await runState(database.store, "d", runId)).toBe("failed");
});

test("the log of a try that lost its worker says so, once; a log that cannot be written loses nothing", async () => {
  const lines: string[] = [];
  const noteInTryLog = async (path: string, message: string) => void lines.push(`${path}: ${message}`);
  const rigs = [await createRig(database, { ...idle, noteInTryLog }), await createRig(database, { ...idle, noteInTryLog })];
  const [rig] = rigs;
  if (!rig) throw new Error("no rig");
  const runId = await running(rig);
  await silence();
  await Promise.all(rigs.map((one) => failSilentTries(one.resources, one.options)));
  expect(lines).toEqual([
    expect.stringMatching(/^dag_id=d\/run_id=.*\/task_id=t\/attempt=1.log: the scheduler ended this try: no heartbeat for \d+ s/),
  ]);
  expect(await statesOf(database.store, runId)).toEqual({ t: "failed" });
});

test("running tries of a dead scheduler go on under the heir; queued ones start anew under a new id", async () => {
  const dead = await createRig(database, idle);
  const heir = await createRig(database, idle);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }, { taskId: "waits" }] });
  await trigger(database.store, "d");
  await dead.drain();
  const before = { t: await tryOf("t"), waits: await tryOf("waits") };
  await startTries(database.store, [{ id: before.t.id, hostname: "h", unixname: "u", pid: 1 }]);
  await database.store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [dead.options.jobId()]);
  expect(await adoptOrphans(heir.resources, heir.options)).toBe(2);
  expect(await tryOf("t")).toMatchObject({ id: before.t.id, state: "running", n: 1 });
  expect(await beatTries(database.store, [before.t.id])).toEqual([before.t.id]);
  await heir.drain();
  const after = await tryOf("waits");
  expect(after).toMatchObject({ state: "queued", n: 1 });
  expect(after.id).not.toBe(before.waits.id);
  const { rows } = await database.store.query("select distinct queued_by_job_id as job from task_instance");
  expect(rows).toEqual([{ job: heir.options.jobId() }]);
  expect(await adoptOrphans(heir.resources, heir.options), "twice").toBe(0);
});

test("an executor's report of a lost worker ends the try at once; of one not started, queues it anew", async () => {
  const rig = await createRig(database, idle);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "lost" }, { taskId: "unstarted" }] });
  await trigger(database.store, "d");
  await rig.drain();
  const lost = await tryOf("lost");
  const unstarted = await tryOf("unstarted");
  await startTries(database.store, [{ id: lost.id, hostname: "h", unixname: "u", pid: 1 }]);
  rig.executor.emit({ id: lost.id, kind: "lost", reason: "the machine is gone" });
  rig.executor.emit({ id: unstarted.id, kind: "not_started", reason: "no room" });
  await takeExecutorEvents(rig.resources, rig.options);
  expect((await tryOf("lost")).state).toBe("failed");
  expect((await tryOf("unstarted")).state).toBe("scheduled");
  expect((await tryOf("unstarted")).id).not.toBe(unstarted.id);
});

test("a report that a try is missing ends none that has started, with or without heartbeats; one that has not is queued anew", async () => {
  const lines: string[] = [];
  const noteInTryLog = async (path: string, message: string) => void lines.push(`${path}: ${message}`);
  const rig = await createRig(database, { ...idle, noteInTryLog });
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "runs" }, { taskId: "waits" }] });
  await trigger(database.store, "d");
  await rig.drain();
  const [runs, waits] = [await tryOf("runs"), await tryOf("waits")];
  await startTries(database.store, [{ id: runs.id, hostname: "h", unixname: "u", pid: 1 }]);
  for (const { id } of [runs, waits]) rig.executor.emit({ id, kind: "missing", reason: "ECS does not know it" });
  await takeExecutorEvents(rig.resources, rig.options);
  expect(await tryOf("runs")).toEqual({ ...runs, state: "running" });
  expect(lines).toEqual([
    expect.stringMatching(/task_id=runs.*ECS does not know it. The try goes on as long as it sends heartbeats.$/),
  ]);
  expect((await tryOf("waits")).state).toBe("scheduled");
  expect(await endedTries(database.store, "LocalExecutor", [runs.id, waits.id])).toEqual([waits.id]);
  // Whether heartbeats are late because of an outage is for the check of silent tries to say.
  await silence();
  rig.executor.emit({ id: runs.id, kind: "missing", reason: "ECS does not know it" });
  await takeExecutorEvents(rig.resources, rig.options);
  expect((await tryOf("runs")).state).toBe("running");
  expect(await failSilentTries(rig.resources, rig.options)).toBe(1);
  expect(await endedTries(database.store, "LocalExecutor", [runs.id])).toEqual([runs.id]);
});

test("a callback that runs, and is missing, is not run again; it has not ended until it says so", async () => {
  const rig = await createRig(database, idle);
  await running(rig);
  await silence();
  await failSilentTries(rig.resources, rig.options);
  const { rows } = await database.store.query<{ id: string }>("update callback_request set state = 'running' returning id");
  const [{ id }] = rows as [{ id: string }];
  rig.executor.emit({ id, kind: "missing", reason: "ECS does not know it" });
  await takeExecutorEvents(rig.resources, rig.options);
  expect(await count("callback_request where state = 'running' and attempts = 0")).toBe(1);
  expect(await endedTries(database.store, "any", [id])).toEqual([]);
  await database.store.query("update callback_request set state = 'success'");
  expect(await endedTries(database.store, "any", [id])).toEqual([id]);
});

test("what an executor cannot launch fails at once with the reason; a launch keeps its name in the outside system", async () => {
  const rig = await createRig(database, idle);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "refused" }, { taskId: "launched" }] });
  await trigger(database.store, "d");
  await rig.drain();
  const refused = await tryOf("refused");
  rig.executor.emit({ id: refused.id, kind: "refused", reason: "there is no such cluster" });
  rig.executor.emit({ id: (await tryOf("launched")).id, kind: "launched", externalExecutorId: "arn:7" });
  await takeExecutorEvents(rig.resources, rig.options);
  expect((await tryOf("refused")).state).toBe("failed");
  expect(await count("log where event = 'launch failed' and extra->>'reason' = 'there is no such cluster'")).toBe(1);
  expect(await count("task_instance where task_id = 'launched' and state = 'queued' and external_executor_id = 'arn:7'")).toBe(1);
  // Told after the try was over and its place taken by another: nothing of it is written.
  rig.executor.emit({ id: refused.id, kind: "launched", externalExecutorId: "arn:8" });
  await takeExecutorEvents(rig.resources, rig.options);
  expect(await count("task_instance where external_executor_id = 'arn:8'")).toBe(0);
});

test("what an executor reported while the database was away is dealt with afterwards", async () => {
  let isAway = true;
  const rig = await createRig(database, {
    ...idle,
    pause: async (at) => {
      if (at === "before-launch-record" && isAway) throw Object.assign(new Error("the database is away"), { code: "08006" });
    },
  });
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "launched" }, { taskId: "refused" }] });
  await trigger(database.store, "d");
  await rig.drain();
  rig.executor.emit({ id: (await tryOf("launched")).id, kind: "launched", externalExecutorId: "arn:7" });
  rig.executor.emit({ id: (await tryOf("refused")).id, kind: "refused", reason: "no" });
  await expect(takeExecutorEvents(rig.resources, rig.options)).rejects.toThrow("away");
  expect(await count("task_instance where external_executor_id is not null or state = 'failed'")).toBe(0);
  isAway = false;
  await takeExecutorEvents(rig.resources, rig.options);
  expect((await tryOf("refused")).state).toBe("failed");
  expect(await count("task_instance where external_executor_id = 'arn:7'")).toBe(1);
  expect(await takeExecutorEvents(rig.resources, rig.options), "told once more").toBe(0);
});

test("an executor that cannot say, with more orphans than one look takes, keeps none of another's waiting", async () => {
  const away = { ...idle, name: "Away" };
  const dead = await createRig(database, { ...idle, further: [away] });
  const heir = await createRig(database, { ...idle, further: [away] });
  const unreachable = heir.resources.executors.get("Away");
  if (!unreachable) throw new Error("the rig has no such executor");
  let asked = 0;
  unreachable.adopt = async (orphans) => {
    asked += orphans.length;
    throw new Error("the outside system is away");
  };
  const crowd = Array.from({ length: ORPHANS_MAX + 1 }, (_, at) => ({ taskId: `a${at}`, executor: "Away", priorityWeight: 2 }));
  await saveDagFixture(database.store, { dagId: "d", maxActiveTasks: 1_000, tasks: [...crowd, { taskId: "t" }] });
  await database.store.query("update slot_pool set slots = -1");
  await trigger(database.store, "d");
  await dead.drain();
  // Behind all others in the order in which orphans are looked at.
  await database.store.query("update task_instance set id = 'ffffffff-ffff-4fff-bfff-ffffffffffff' where task_id = 't'");
  await database.store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [dead.options.jobId()]);
  expect(await adoptOrphans(heir.resources, heir.options)).toBe(1);
  expect(asked).toBe(ORPHANS_MAX);
  expect((await tryOf("t")).state).toBe("scheduled");
  expect(await count("task_instance where state = 'queued'")).toBe(ORPHANS_MAX + 1);
});

test("a try whose worker dies each time before it starts is queued anew twice, then fails with the last reason", async () => {
  const rig = await createRig(database, idle);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  await trigger(database.store, "d");
  const ids = new Set<string>();
  for (let launch = 1; launch <= 3; launch++) {
    await rig.drain();
    const { id, state } = await tryOf("t");
    expect(state).toBe("queued");
    ids.add(id);
    rig.executor.emit({ id, kind: "lost", reason: `exit code ${launch}` });
    await takeExecutorEvents(rig.resources, rig.options);
  }
  expect(ids.size).toBe(3);
  expect((await tryOf("t")).state).toBe("failed");
  expect(await count("log where event = 'launch failed' and extra->>'reason' like '%3 times%exit code 3'")).toBe(1);
});

test("an heir's executor says which queued tries it goes on with; one that cannot say is asked again, and nothing is lost", async () => {
  const dead = await createRig(database, idle);
  const asked: OrphanTry[][] = [];
  let answer: (orphans: readonly OrphanTry[]) => string[] = () => {
    throw new Error("the outside system is away");
  };
  const heir = await createRig(database, idle);
  heir.executor.adopt = async (orphans) => {
    asked.push([...orphans]);
    return answer(orphans);
  };
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "kept" }, { taskId: "back" }, { taskId: "runs" }] });
  await trigger(database.store, "d");
  await dead.drain();
  const before = { kept: await tryOf("kept"), back: await tryOf("back"), runs: await tryOf("runs") };
  dead.executor.emit({ id: before.kept.id, kind: "launched", externalExecutorId: "arn:1" });
  await takeExecutorEvents(dead.resources, dead.options);
  await startTries(database.store, [{ id: before.runs.id, hostname: "h", unixname: "u", pid: 1 }]);
  await database.store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [dead.options.jobId()]);

  expect(await adoptOrphans(heir.resources, heir.options)).toBe(0);
  expect(await count(`task_instance where queued_by_job_id = ${dead.options.jobId()}`), "left for the next time").toBe(3);
  answer = () => [before.kept.id, before.runs.id];
  expect(await adoptOrphans(heir.resources, heir.options)).toBe(3);
  expect(await tryOf("kept")).toEqual(before.kept);
  expect(await tryOf("runs")).toMatchObject({ id: before.runs.id, state: "running" });
  expect((await tryOf("back")).id).not.toBe(before.back.id);
  expect(asked[1]).toHaveLength(3);
  expect(asked[1]).toEqual(
    expect.arrayContaining([
      { id: before.kept.id, externalExecutorId: "arn:1", workload: expect.objectContaining({ type: "ExecuteTask" }) as object },
      { id: before.runs.id, externalExecutorId: null, workload: null },
    ]),
  );
});

test("a try that starts while its executor is asked is not queued anew", async () => {
  const dead = await createRig(database, idle);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  await trigger(database.store, "d");
  await dead.drain();
  const { id } = await tryOf("t");
  await database.store.query("update job set latest_heartbeat = now() - interval '1 hour' where id = $1", [dead.options.jobId()]);
  const heir = await createRig(database, {
    ...idle,
    pause: async (at) => {
      if (at === "after-adoption-asked")
        expect(await startTries(database.store, [{ id, hostname: "h", unixname: "u", pid: 1 }])).toHaveLength(1);
    },
  });
  expect(await adoptOrphans(heir.resources, heir.options)).toBe(1);
  expect(await tryOf("t")).toMatchObject({ id, state: "running" });
});

test("a scheduler that was declared dead registers a new job", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  const rig = await createRig(database, { settings: { heartbeatSec: 0.05 } });
  scheduler = await rig.start();
  const job = scheduler.jobId();
  await database.store.query("update job set state = 'failed', end_date = now() where id = $1", [job]);
  await expect.poll(() => scheduler?.jobId(), { timeout: 5_000 }).not.toBe(job);
  const runId = await trigger(database.store, "d");
  await expect.poll(() => runState(database.store, "d", runId), { timeout: 5_000 }).toBe("success");
  const { rows } = await database.store.query("select queued_by_job_id as job from task_instance");
  expect(rows).toEqual([{ job: scheduler.jobId() }]);
  expect(await count(`job where id = ${job} and state = 'failed'`), "the old job stays dead").toBe(1);
});
