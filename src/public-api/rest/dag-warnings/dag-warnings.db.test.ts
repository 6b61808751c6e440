import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { ensurePool, saveDagPools } from "../../../store/index.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await ensurePool(database.store, "default_pool", 2, "");
  await ensurePool(database.store, "endless", -1, "");
});
afterAll(() => database.drop());

async function save(dagId: string, tasks: readonly object[]): Promise<void> {
  await saveDagFixture(database.store, { dagId, tasks });
  await saveDagPools(database.store, serializedDag({ dagId, tasks }));
}
const warnings = async (query = "") => (await api.get(`/api/v2/dagWarnings${query}`)).json;

test("pools that are missing or too small are warned of, until they are there and wide enough", async () => {
  await save("fine", [{ taskId: "t" }, { taskId: "u", pool: "endless", poolSlots: 99 }]);
  await save("bad", [
    { taskId: "a", pool: "zoo" },
    { taskId: "b", pool: "attic" },
    { taskId: "c", poolSlots: 3 },
    { taskId: "d", poolSlots: 1 },
  ]);
  expect(await warnings()).toMatchObject({
    total_entries: 2,
    dag_warnings: [
      {
        dag_id: "bad",
        warning_type: "non-existent pool",
        message: "Tasks name pools that do not exist and wait until they do: attic, zoo",
      },
      {
        dag_id: "bad",
        warning_type: "pool too small",
        message: "Tasks ask for more slots than their pools have and wait until these are wider: default_pool (3 of 2)",
      },
    ],
  });
  expect(await warnings("?dag_id=fine")).toMatchObject({ total_entries: 0 });
  expect(await warnings("?warning_type=pool%20too%20small&order_by=-timestamp")).toMatchObject({ total_entries: 1 });
  expect((await api.get("/api/v2/dagWarnings?warning_type=nonsense")).status).toBe(422);
  await ensurePool(database.store, "zoo", 1, "");
  expect((await warnings()).dag_warnings[0].message).toContain("do: attic");
  await save("bad", [{ taskId: "a", pool: "zoo" }]);
  expect(await warnings()).toMatchObject({ total_entries: 0 });
});
