/** kill -9 of one of two triggerers with deferred tasks: the other one takes over, no task is lost, and none continues twice. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Grid, startGrid } from "../support/grid-run.ts";

const TASKS = 60;
const FAST = { BARAM__TRIGGERER__JOB_HEARTBEAT_SEC: "0.3", BARAM__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD: "1.5" };

let grid: Grid;
beforeEach(async () => {
  grid = await startGrid({ layers: 1, width: 1 });
}, 60_000);
afterEach(() => grid.stop(), 60_000);

/** Tasks that wait for a file, half of them by a trigger of the DAG file, and write a line when they continue. */
async function deferAll(): Promise<{ runId: string; go(): void; check(): Promise<void> }> {
  const { engine } = grid;
  const [path, trace] = [join(engine.home, "go"), join(engine.home, "resumed.txt")];
  writeFileSync(trace, "");
  await engine.load({
    "waits.ts": `
import { existsSync, appendFileSync } from "node:fs";
import { BaseTrigger, dag, defer, FileTrigger, registerTrigger, task, TriggerEvent } from "baram";
class Polls extends BaseTrigger {
  async *run(ctx) { while (!existsSync(this.options.path)) await ctx.sleep("100ms"); yield new TriggerEvent(this.options.path); }
}
registerTrigger("Polls", Polls);
export default dag({ dagId: "waits", schedule: null, maxActiveTasks: 200 }, () => {
  for (let at = 0; at < ${TASKS}; at++) {
    task({ taskId: "t" + at }, async (ctx) => {
      if (ctx.resumed) return appendFileSync(${JSON.stringify(trace)}, ctx.ti.taskId + "\\n");
      const path = ${JSON.stringify(path)};
      return defer({ trigger: at % 2 ? new Polls({ path }) : new FileTrigger({ path, pollInterval: "100ms" }) });
    })();
  }
});`,
  });
  const runId = await engine.trigger("waits");
  const held = async () => (await owners()).reduce((sum, one) => sum + one.n, 0);
  await expect.poll(held, { timeout: 30_000 }).toBe(TASKS);
  return {
    runId,
    go: () => writeFileSync(path, ""),
    async check() {
      expect(await engine.finished("waits", runId, 60_000)).toBe("success");
      const lines = readFileSync(trace, "utf8").trim().split("\n");
      expect(lines.length, "a task went on twice, or not at all").toBe(TASKS);
      expect(new Set(lines).size).toBe(TASKS);
      expect((await engine.store.query("select 1 from trigger")).rowCount).toBe(0);
    },
  };
}

/** Live triggerers by pid, and the number of triggers of each. */
async function owners(): Promise<{ pid: number; n: number }[]> {
  const { rows } = await grid.engine.store.query<{ pid: number; n: number }>(
    `select j.pid, count(*)::int as n from trigger t join job j on j.id = t.triggerer_id and j.state = 'running' group by j.pid`,
  );
  return rows;
}

async function untilTriggerers(count: number): Promise<void> {
  const jobs = async () => (await grid.engine.store.query("select 1 from job where job_type = 'TriggererJob'")).rowCount;
  await expect.poll(jobs, { timeout: 20_000 }).toBe(count);
}

test("kill -9 of a triggerer: its triggers go on elsewhere, and each task goes on exactly once", async () => {
  grid.startRole("scheduler");
  const killed = grid.startRole("triggerer", FAST);
  grid.startRole("triggerer", FAST);
  await untilTriggerers(2);
  const waiting = await deferAll();
  const before = await owners();
  expect(before.length, "one triggerer has them all").toBe(2);
  const children = childrenOf(killed.pid ?? 0);
  expect(children.length, "no process for the DAG file's triggers").toBeGreaterThan(0);
  killed.kill("SIGKILL");
  // All triggers are due while a triggerer is dead and its death has not been noticed.
  waiting.go();
  await waiting.check();
  expect(before.find((one) => one.pid === killed.pid)?.n ?? 0, "the killed triggerer had nothing").toBeGreaterThan(0);
  // Its process for user code has ended with it.
  await expect.poll(() => children.filter((pid) => existsSync(`/proc/${pid}`)), { timeout: 5_000 }).toEqual([]);
}, 120_000);

test("kill -9 of scheduler and PostgreSQL while tasks are deferred: the waits outlast it", async () => {
  const scheduler = grid.startRole("scheduler");
  grid.startRole("triggerer", FAST);
  await untilTriggerers(1);
  const waiting = await deferAll();
  scheduler.kill("SIGKILL");
  const pid = grid.own.server.pid();
  expect(pid).not.toBeNull();
  process.kill(pid ?? 0, "SIGKILL");
  waiting.go();
  await expect.poll(() => grid.own.server.pid(), { timeout: 20_000 }).not.toBe(pid);
  grid.startRole("scheduler");
  await waiting.check();
}, 120_000);

function childrenOf(pid: number): string[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, "utf8").trim().split(" ").filter(Boolean) : [];
}
