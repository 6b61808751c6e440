/**
 * The contract of all executors, written once. The cases never ask an executor for results: they read the database, and a file to
 * which every try appends its start and its end. In addition to the expectations of each case, no try may start twice.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJwtSecret } from "../../src/config/index.ts";
import { type BatchAnswer, type ExecuteTask, executeTaskSchema } from "../../src/contracts/index.ts";
import { createTokens, sleep } from "../../src/platform/index.ts";
import { type ContractSystem, type ExecutorRig, GRACE_SEC, type TryRow } from "./rig.ts";
import { startContractSystem } from "./system.ts";

/** Longer than several passes of a loop, much shorter than the time after which a queued try is requeued. */
const SLOW_START_MS = 1_200;
/** As the suite's schedulers have it. */
const HEARTBEAT_TIMEOUT_SEC = 3;
const ACTIVE = "state in ('queued', 'running', 'restarting')";

export function describeExecutor(name: string, makeRig: () => Promise<ExecutorRig>): void {
  describe(name, () => {
    let rig: ExecutorRig;
    let system: ContractSystem;
    beforeAll(async () => {
      rig = await makeRig();
      system = await startContractSystem(rig);
    }, 60_000);
    afterAll(() => system?.stop(), 60_000);

    const pollTry = (runId: string, read: (row: TryRow) => unknown) =>
      expect.poll(async () => read(await system.tryOf(runId)), { timeout: 15_000, interval: 20 });

    /** The run succeeded with this number of tries, each started once, and the stored result is that of the last one. */
    async function expectOnce(runId: string, { tries = 1 }: { tries?: number } = {}): Promise<void> {
      expect(await system.finished(runId)).toBe("success");
      expect(await startsOf(runId), "the tries that started, in their order").toEqual(
        Array.from({ length: tries }, (_, at) => at + 1),
      );
      const row = await system.tryOf(runId);
      expect(row).toMatchObject({ state: "success", tryNumber: tries, executor: rig.facts.name });
      const { rows } = await system.engine.store.query<{ value: number }>(
        "select x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1 and x.key = 'return_value'",
        [runId],
      );
      expect(rows, "the XCom of the try that counts").toEqual([{ value: tries }]);
    }

    /** Numbers of the tries that started; fails if one started twice. */
    async function startsOf(runId: string): Promise<number[]> {
      const starts = system.trace(runId).filter(({ what }) => what === "start");
      expect(new Set(starts.map(({ id }) => id)).size, "a try started twice").toBe(starts.length);
      return starts.map(({ attempt }) => attempt);
    }

    async function run(dagId: string): Promise<string> {
      await system.scheduler();
      return system.trigger(dagId);
    }

    async function expectAllFree(): Promise<void> {
      const executor = system.executorOf(await system.scheduler());
      await expect.poll(() => executor.slotsAvailable(), { timeout: 10_000 }).toBe(slots);
    }
    let slots = 0;

    test("launch: a task runs once, in a process of its own, and its row says where", async () => {
      slots = system.executorOf(await system.scheduler()).slotsAvailable();
      const runId = await run("quick");
      await expectOnce(runId);
      const { pid, externalId } = await system.tryOf(runId);
      const [start] = system.trace(runId);
      expect(pid).toEqual(expect.any(Number));
      expect(start?.pid).not.toBe(process.pid);
      if (rig.facts.externalId === null) expect(externalId).toBeNull();
      else expect(externalId).toMatch(rig.facts.externalId);
    });

    test("failure: a task that throws fails its run and is not started again", async () => {
      const runId = await run("broken");
      expect(await system.finished(runId)).toBe("failed");
      expect(await system.tryOf(runId)).toMatchObject({ state: "failed", tryNumber: 1 });
      expect(await startsOf(runId)).toEqual([1]);
    });

    test("retry: the second try is another one, and the first stays in the history", async () => {
      const runId = await run("flaky");
      await expectOnce(runId, { tries: 2 });
      const [first] = await system.history(runId);
      expect(first).toMatchObject({ tryNumber: 1, reason: expect.stringContaining("on purpose") });
      expect(first?.id).not.toBe((await system.tryOf(runId)).id);
    });

    test("stop: a try that ignores its signal has written its last when its end is told, and its successor has another process", async () => {
      const runId = await run("deaf");
      await expectOnce(runId, { tries: 2 });
      const [first] = await system.history(runId);
      expect(first?.reason).toMatch(/^TaskTimeoutError: /);
      expect(first?.reason).toContain(`it did not end within the grace of ${GRACE_SEC} s, and its process was killed`);
      const lines = system.trace(runId);
      const last = lines.findLast(({ attempt }) => attempt === 1);
      const second = lines.find(({ attempt }) => attempt === 2);
      expect(last?.what).toBe("write");
      // The time limit and the grace period, not longer.
      expect((last?.at ?? 0) - (lines[0]?.at ?? 0)).toBeLessThan((GRACE_SEC + 4) * 1_000);
      const toldAt = system.wire.endsAt(first?.id ?? "");
      expect(last?.at ?? 0, "the last that it wrote").toBeLessThanOrEqual(toldAt ?? 0);
      expect(second?.at ?? 0).toBeGreaterThanOrEqual(last?.at ?? 0);
      expect(second?.pid).not.toBe(last?.pid);
    });

    test("slots: an executor is never given more than it has places, and gives all of them back", async () => {
      // An end is stored in the database before an executor with an external system learns of it.
      await expectAllFree();
      const runId = await run("many");
      let highest = 0;
      const watch = setInterval(() => {
        void system.engine.store
          .query<{ n: number }>(`select count(*)::int as n from task_instance where ${ACTIVE}`)
          .then(({ rows }) => (highest = Math.max(highest, rows[0]?.n ?? 0)));
      }, 10);
      expect(await system.finished(runId)).toBe("success");
      clearInterval(watch);
      expect(highest).toBe(slots);
      expect(overlapOf(system, runId)).toBeLessThanOrEqual(slots);
      expect(await startsOf(runId)).toHaveLength(8);
      await expectAllFree();
    });

    test("slow start: a try that takes long to start is waited for and not launched again", async () => {
      const own = rig.delayStarts?.bind(rig);
      const held = own ? null : system.wire.holdStarts();
      own?.(SLOW_START_MS);
      const runId = await run("quick");
      await pollTry(runId, ({ state }) => state).toBe("queued");
      const { id } = await system.tryOf(runId);
      await sleep(SLOW_START_MS);
      own?.(0);
      held?.release();
      await expectOnce(runId);
      expect(await system.tryOf(runId)).toMatchObject({ id, queueAttempts: 0 });
    });

    test("lost outcome: an end whose answer is lost is told again and counts once", async () => {
      await system.scheduler();
      const lost = system.wire.loseNextEndAnswer();
      rig.loseNextResult?.();
      const runId = await run("quick");
      await lost;
      await expectOnce(runId);
      const { id } = await system.tryOf(runId);
      await expect.poll(() => system.wire.ends.filter((end) => end.id === id).length, { timeout: 10_000 }).toBeGreaterThan(1);
      expect(await system.history(runId)).toHaveLength(0);
      await expectAllFree();
    });

    test("duplicate outcome: an end told twice counts once, and another end for the same try is refused", async () => {
      const runId = await run("quick");
      await expectOnce(runId);
      const { id } = await system.tryOf(runId);
      const [end] = system.wire.ends.filter((one) => one.id === id);
      const before = await rowText(system, runId);
      const failed = { state: "failed" as const, retryable: true, error: { name: "E", message: "late", stack: null }, xcoms: [] };
      expect(await tell(system, { ...end })).toMatchObject([{ ok: true }]);
      expect(await tell(system, { ...end, outcome: failed })).toMatchObject([{ ok: false, status: 409 }]);
      expect(await rowText(system, runId)).toBe(before);
      await expectOnce(runId);
    });

    test("stale outcome: an end of the first try, told while the second runs, changes nothing", async () => {
      const runId = await run("second_held");
      await expect.poll(() => startsOf(runId), { timeout: 15_000, interval: 20 }).toEqual([1, 2]);
      const [first] = await system.history(runId);
      const [end] = system.wire.ends.filter((one) => one.id === first?.id);
      const stale = {
        ...end,
        outcome: { state: "success" as const, xcoms: [{ key: "return_value", value: 99 }], skipTasks: [] },
      };
      expect(await tell(system, stale)).toMatchObject([{ ok: false, status: 409 }]);
      expect(await system.tryOf(runId)).toMatchObject({ state: "running", tryNumber: 2 });
      system.release(runId);
      await expectOnce(runId, { tries: 2 });
    });

    test("the same try handed over twice, by two schedulers' executors, starts once", async () => {
      const part = await system.scheduler();
      const held = system.wire.holdStarts();
      const runId = await run("held");
      await held.asked;
      const workload = await workloadAgain(system, runId);
      const other = await system.another();
      try {
        system.executorOf(part).queue([workload]);
        other.queue([workload]);
        held.release();
        const { id } = await system.started(runId);
        // Long enough for a second worker to ask while the first one is running; an external system with idempotency keys
        // launches none.
        await sleep(SLOW_START_MS);
        const asked = system.wire.starts.filter((one) => one === id).length;
        if (rig.facts.running === "ends with its scheduler") expect(asked, "both asked to start it").toBeGreaterThan(1);
        expect(await startsOf(runId)).toEqual([1]);
        system.release(runId);
        await expectOnce(runId);
      } finally {
        await other.end(5_000);
      }
      await expectAllFree();
      await expectOnce(runId);
    });

    test("revoke: a try that nobody starts is taken back, and only its successor runs", async () => {
      await system.scheduler();
      const held = system.wire.holdStarts();
      const runId = await run("quick");
      await held.asked;
      const { id } = await system.tryOf(runId);
      await system.engine.store.query("update task_instance set queued_dttm = now() - interval '1 day' where id = $1", [id]);
      await pollTry(runId, (row) => [row.id === id, row.queueAttempts, row.state]).toEqual([false, 1, "queued"]);
      held.release();
      await expectOnce(runId);
      expect(system.trace(runId).map((line) => line.id)).not.toContain(id);
      await expectAllFree();
    });

    test("revoke of a try that runs stops it where that can be, and its slot comes free", async () => {
      const runId = await run("held");
      const { id } = await system.started(runId);
      system.executorOf(await system.scheduler()).revoke(id);
      if (!rig.facts.revokeStops) {
        await sleep(SLOW_START_MS);
        expect(await system.tryOf(runId)).toMatchObject({ id, state: "running" });
        system.release(runId);
      }
      await expectOnce(runId, { tries: rig.facts.revokeStops ? 2 : 1 });
      const ends = system.trace(runId).filter((line) => line.what === "end" && line.id === id);
      expect(ends).toHaveLength(rig.facts.revokeStops ? 0 : 1);
      await expectAllFree();
    });

    test("API outage: tries go on through it and wait for it with their calls, nothing is launched in it, and no retry is used", async () => {
      const runId = await run("asking");
      const { id } = await system.started(runId);
      const outage = system.wire.cutOff();
      system.release(runId);
      // The scheduler knows of it once nobody is heard of any more.
      await sleep(HEARTBEAT_TIMEOUT_SEC * 1_000);
      const later = await system.trigger("quick");
      // Long enough for a silent worker to be taken for dead.
      await sleep(2 * HEARTBEAT_TIMEOUT_SEC * 1_000);
      expect(await system.tryOf(runId)).toMatchObject({ id, state: "running" });
      expect((await system.tryOf(later)).state).toBe("scheduled");
      outage.restore();
      await expectOnce(runId);
      await expectOnce(later);
      await expectAllFree();
    });

    test("kill -9 of the worker: its try is lost, the reason is kept, and it is tried again", async () => {
      const runId = await run("held");
      const running = await system.started(runId);
      if (rig.killWorker) await rig.killWorker(running);
      else process.kill(running.pid ?? 0, "SIGKILL");
      await expectOnce(runId, { tries: 2 });
      expect(await system.history(runId)).toEqual([
        { id: running.id, tryNumber: 1, reason: expect.stringMatching(rig.facts.lossReason) },
      ]);
      await expectAllFree();
    });

    test("adoption: kill -9 of a scheduler stops nothing that runs, and its heir goes on with it", async () => {
      await system.retire();
      const dying = system.spawnScheduler();
      const runId = await system.trigger("held");
      const { id } = await system.started(runId);
      dying.kill("SIGKILL");
      const heir = await system.scheduler();
      await pollTry(runId, ({ jobId }) => jobId).toBe(heir.scheduler.jobId());
      expect(await system.tryOf(runId)).toMatchObject({ id, state: "running" });
      system.release(runId);
      await expectOnce(runId);
      expect(await system.history(runId)).toHaveLength(0);
      await expectAllFree();
    });

    test("adoption: what a killed scheduler had launched and nobody had started runs once", async () => {
      await system.retire();
      const held = system.wire.holdStarts();
      const dying = system.spawnScheduler();
      const runId = await system.trigger("quick");
      await held.asked;
      const { id } = await system.tryOf(runId);
      dying.kill("SIGKILL");
      const heir = await system.scheduler();
      await pollTry(runId, ({ jobId, state }) => [jobId, state]).toEqual([heir.scheduler.jobId(), "queued"]);
      expect((await system.tryOf(runId)).id === id, "whether it is the same try").toBe(rig.facts.keepsQueued);
      held.release();
      await expectOnce(runId);
      await expectAllFree();
    });

    // Only executors that record their launches reach the last point: there, the launch is not recorded yet.
    const points = ["after-queue-commit", "after-hand-over", "before-launch-record"] as const;
    test.each(points)("crash at %s: the try runs once, whatever the dead scheduler does when it wakes up", async (point) => {
      await system.retire();
      if (point === "before-launch-record" && rig.facts.externalId === null) {
        await expectNoLaunchRecord();
        return;
      }
      const held = system.wire.holdStarts();
      const dead = await system.frozenAt(point);
      const runId = await system.trigger("quick");
      await dead.frozen;
      const { id, externalId } = await system.tryOf(runId);
      expect(externalId).toBeNull();
      // So that the launch is certain before the other scheduler decides.
      if (point !== "after-queue-commit") await held.asked;
      const heir = await system.scheduler();
      await pollTry(runId, ({ jobId, state }) => [jobId, state]).toEqual([heir.scheduler.jobId(), "queued"]);
      expect((await system.tryOf(runId)).id === id, "whether it is the same try").toBe(rig.facts.keepsQueued);
      held.release();
      await expectOnce(runId);
      await dead.thaw();
      await expectAllFree();
      await expectOnce(runId);
    });

    /** An executor without an external system records no launches: it never reaches this point. */
    async function expectNoLaunchRecord(): Promise<void> {
      const dead = await system.frozenAt("before-launch-record");
      let isFrozen = false;
      void dead.frozen.then(() => (isFrozen = true));
      await expectOnce(await system.trigger("quick"));
      expect(isFrozen).toBe(false);
      await dead.thaw();
    }

    test("drain: what runs comes to its end, here or outside, and nothing is lost or started again", async () => {
      const part = await system.scheduler();
      const runId = await run("held");
      const { id } = await system.started(runId);
      const endsHere = rig.facts.running === "ends with its scheduler";
      if (endsHere) setTimeout(() => system.release(runId), 300);
      await system.retire();
      expect(system.executorOf(part).slotsAvailable()).toBe(0);
      expect(await system.tryOf(runId)).toMatchObject({ id, state: endsHere ? "success" : "running" });
      await system.scheduler();
      system.release(runId);
      await expectOnce(runId);
      await expectAllFree();
    });

    test("drain: what waits is given back or kept, and runs once after it", async () => {
      await system.scheduler();
      const held = system.wire.holdStarts();
      const runId = await run("quick");
      await held.asked;
      setTimeout(() => held.release(), 300);
      await system.retire();
      await system.scheduler();
      await expectOnce(runId);
      await expectAllFree();
    });
  });
}

/** Maximum number of the run's tries that ran at the same time. */
function overlapOf(system: ContractSystem, runId: string): number {
  let open = 0;
  let highest = 0;
  for (const { what } of system.trace(runId)) {
    if (what === "write") continue;
    open += what === "start" ? 1 : -1;
    highest = Math.max(highest, open);
  }
  return highest;
}

async function tell(system: ContractSystem, end: { token?: string; outcome?: unknown }): Promise<BatchAnswer["items"]> {
  const answer = await fetch(`${system.engine.apiUrl}/execution/baram/batch`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${end.token}` },
    body: JSON.stringify({ items: [end] }),
  });
  return ((await answer.json()) as BatchAnswer).items;
}

async function rowText(system: ContractSystem, runId: string): Promise<string> {
  const { rows } = await system.engine.store.query(
    "select ti.*, (select count(*) from task_event) as events from task_instance ti where run_id = $1",
    [runId],
  );
  return JSON.stringify(rows);
}

/** The workload of a queued try as another scheduler would create it. */
async function workloadAgain(system: ContractSystem, runId: string): Promise<ExecuteTask> {
  const { rows } = await system.engine.store.query(
    `select ti.id, ti.dag_id as "dagId", ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex", ti.try_number as "tryNumber",
            ti.pool_slots as "poolSlots", ti.queue, ti.priority_weight as "priorityWeight", v.module_hash as "moduleHash"
       from task_instance ti join dag_version v on v.id = ti.dag_version_id where ti.run_id = $1`,
    [runId],
  );
  const { moduleHash, ...ti } = rows[0] ?? {};
  const tokens = createTokens(readJwtSecret(system.engine.config));
  return executeTaskSchema.parse({
    type: "ExecuteTask",
    token: await tokens.sign("baram:workload", { subject: String(ti.id) }, 3_600),
    ti: { ...ti, executorConfig: {} },
    moduleHash,
    logPath: `dag_id=${ti.dagId}/run_id=${runId}/task_id=${ti.taskId}/attempt=1.log`,
  });
}
