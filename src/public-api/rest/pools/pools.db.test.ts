import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { trigger } from "../../../../tests/support/scheduler-rig.ts";
import { saveDagPools, setPool } from "../../../store/index.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
});
afterAll(() => database.drop());

const sql = (text: string, values: readonly unknown[] = []) => database.store.query(text, values);
const narrow = { pool: "narrow", slots: 2, description: "old", includeDeferred: false };

test("of two changes of a pool at once, each leaves what the other one changed", async () => {
  await setPool(database.store, narrow);
  const other = database.open();
  let changed: Promise<unknown> = Promise.resolve();
  await other.transaction(async (tx) => {
    await tx.query("update slot_pool set description = 'new' where pool = 'narrow'");
    changed = api.ask("PATCH", "/api/v2/pools/narrow", { body: { slots: 7 } });
    await expect
      .poll(
        async () =>
          (await sql("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")).rowCount,
      )
      .toBe(1);
  });
  expect(await changed).toMatchObject({ status: 200, json: { slots: 7, description: "new", include_deferred: false } });
});

test("a change names what it changes: null takes the description away, what is left out stays", async () => {
  await setPool(database.store, { ...narrow, includeDeferred: true });
  const patch = async (body: object) => (await api.ask("PATCH", "/api/v2/pools/narrow", { body })).json;
  expect(await patch({ description: null })).toMatchObject({ slots: 2, description: null, include_deferred: true });
  expect(await patch({ include_deferred: false, pool: "narrow" })).toMatchObject({ slots: 2, include_deferred: false });
  expect(await api.ask("PATCH", "/api/v2/pools/narrow", { body: { pool: "wide" } })).toMatchObject({ status: 400 });
  expect(await api.ask("PATCH", "/api/v2/pools/nowhere", { body: { slots: 1 } })).toMatchObject({ status: 404 });
});

test("a pool that a task names, or an unfinished instance of an older version is in, is not deleted", async () => {
  const remove = () => api.ask("DELETE", "/api/v2/pools/narrow", {});
  await setPool(database.store, narrow);
  const tasks = [{ taskId: "a", pool: "narrow" }, { taskId: "b" }];
  await saveDagFixture(database.store, { dagId: "user", tasks });
  await saveDagPools(database.store, serializedDag({ dagId: "user", tasks }));
  const runId = await trigger(database.store, "user");
  expect(await remove()).toMatchObject({ status: 409, text: expect.stringContaining("is used by user.a.") });

  // The next version no longer uses the pool; the previous version's run still does.
  const moved = [{ taskId: "a" }, { taskId: "b" }];
  await saveDagFixture(database.store, { dagId: "user", tasks: moved });
  await saveDagPools(database.store, serializedDag({ dagId: "user", tasks: moved }));
  for (const state of [null, "scheduled", "queued", "running", "deferred", "up_for_retry", "up_for_reschedule"]) {
    await sql("update task_instance set state = $2 where run_id = $1 and task_id = 'a'", [runId, state]);
    expect(await remove(), String(state)).toMatchObject({ status: 409 });
  }
  await sql("update task_instance set state = 'success' where run_id = $1 and task_id = 'a'", [runId]);
  expect(await remove()).toMatchObject({ status: 204 });
  expect(await remove()).toMatchObject({ status: 404 });
});
