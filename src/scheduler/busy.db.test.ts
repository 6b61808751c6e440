import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, trigger } from "../../tests/support/scheduler-rig.ts";
import { sleep } from "../platform/index.ts";
import { holdDispatchLock } from "../store/index.ts";
import type { Scheduler } from "./index.ts";

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

test("a scheduler that finds the dispatch lock taken looks again and again, ever less often, and dispatches when it is free", async () => {
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "t" }] });
  const other = database.open();
  const rig = await createRig(database, { settings: { heartbeatSec: 60 } });
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let onHeld = () => {};
  const held = new Promise<void>((resolve) => {
    onHeld = resolve;
  });
  const holding = other.transaction(async (tx) => {
    await holdDispatchLock(tx);
    onHeld();
    await released;
  });
  await held;
  await trigger(database.store, "d");
  scheduler = await rig.start();
  await sleep(700);
  const asked = [vi.spyOn(rig.store, "transaction"), vi.spyOn(rig.store, "query")];
  await sleep(2_000);
  const begun = asked.reduce((sum, { mock }) => sum + mock.calls.length, 0);
  expect(rig.executor.handed).toEqual([]);
  // 4 light passes a second and one full one, which is two transactions.
  expect(begun).toBeGreaterThan(4);
  expect(begun).toBeLessThanOrEqual(16);
  release();
  await holding;
  await expect.poll(() => rig.executor.handed.length, { timeout: 600, interval: 10 }).toBe(1);
});
