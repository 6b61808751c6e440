/** kill -9 of each process in the middle of a run of 500 tasks: nothing is lost, and nothing is done twice. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Grid, startGrid } from "../support/grid-run.ts";

const LAYERS = 10;
const WIDTH = 50;

let grid: Grid;
beforeEach(async () => {
  grid = await startGrid({ layers: LAYERS, width: WIDTH });
}, 60_000);
afterEach(() => grid.stop(), 60_000);

test("kill -9 of the scheduler, three times: another takes over, nothing is lost or done twice", async () => {
  let scheduler = grid.startRole("scheduler");
  const runId = await grid.engine.trigger("grid");
  for (const share of [0.2, 0.4, 0.6]) {
    await grid.untilDone(runId, LAYERS * WIDTH * share);
    scheduler.kill("SIGKILL");
    scheduler = grid.startRole("scheduler");
  }
  expect(await grid.engine.finished("grid", runId, 90_000)).toBe("success");
  await grid.check(runId);
}, 150_000);

test("two schedulers share the run; one is killed with kill -9 in the middle, and the other finishes alone", async () => {
  const killed = grid.startRole("scheduler");
  grid.startRole("scheduler");
  const runId = await grid.engine.trigger("grid");
  await grid.untilDone(runId, LAYERS * WIDTH * 0.4);
  const { rows: sharing } = await grid.engine.store.query<{ n: number }>(
    "select count(distinct queued_by_job_id)::int as n from task_instance",
  );
  expect(sharing[0]?.n, "one scheduler did all of it").toBe(2);
  killed.kill("SIGKILL");
  expect(await grid.engine.finished("grid", runId, 90_000)).toBe("success");
  await grid.check(runId);
  // The death of the process may be noticed only after the run has ended.
  const states = async () =>
    (await grid.engine.store.query("select state from job where job_type = 'SchedulerJob' order by state")).rows;
  await expect.poll(states, { timeout: 10_000 }).toEqual([{ state: "failed" }, { state: "running" }]);
}, 150_000);

test("kill -9 of runners: their tries fail with how they died, and are tried again", async () => {
  grid.startRole("scheduler");
  const runId = await grid.engine.trigger("grid");
  let killed = 0;
  for (const share of [0.15, 0.3, 0.45, 0.6, 0.75]) {
    await grid.untilDone(runId, LAYERS * WIDTH * share);
    for (const pid of grid.pidsOf("runner")) {
      process.kill(pid, "SIGKILL");
      killed++;
    }
  }
  expect(await grid.engine.finished("grid", runId, 90_000)).toBe("success");
  expect(killed).toBeGreaterThan(4);
  await grid.check(runId);
  const { rows } = await grid.engine.store.query<{ reason: string }>(
    "select reason from task_instance_history where run_id = $1",
    [runId],
  );
  expect(rows.length, "no kill hit a running try").toBeGreaterThan(0);
  for (const row of rows) expect(row.reason).toMatch(/SIGKILL|task's process ended/);
}, 150_000);

test("kill -9 of the supervisor: a new one is started, its tries are reported lost and tried again", async () => {
  grid.startRole("scheduler");
  const runId = await grid.engine.trigger("grid");
  for (const share of [0.2, 0.5, 0.7]) {
    await grid.untilDone(runId, LAYERS * WIDTH * share);
    const [pid] = grid.pidsOf("supervisor");
    expect(pid).toBeDefined();
    process.kill(pid ?? 0, "SIGKILL");
    await expect.poll(() => grid.pidsOf("supervisor").filter((one) => one !== pid).length, { timeout: 10_000 }).toBe(1);
  }
  expect(await grid.engine.finished("grid", runId, 90_000)).toBe("success");
  await grid.check(runId);
}, 150_000);

test("kill -9 of PostgreSQL: every role waits it out, and what was acknowledged is there", async () => {
  grid.startRole("scheduler");
  const runId = await grid.engine.trigger("grid");
  for (const share of [0.3, 0.6]) {
    await grid.untilDone(runId, LAYERS * WIDTH * share);
    const pid = grid.own.server.pid();
    expect(pid).not.toBeNull();
    process.kill(pid ?? 0, "SIGKILL");
    await expect.poll(() => grid.own.server.pid(), { timeout: 20_000 }).not.toBe(pid);
  }
  expect(await grid.engine.finished("grid", runId, 90_000)).toBe("success");
  await grid.check(runId);
}, 150_000);
