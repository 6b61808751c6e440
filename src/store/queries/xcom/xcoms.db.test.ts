import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { trigger } from "../../../../tests/support/scheduler-rig.ts";
import type { Store } from "../../store.ts";
import { findSmallInputs } from "./keep-xcoms.ts";
import { readXcomPage } from "./xcom-sequence.ts";

let database: TestDatabase;
let store: Store;
const runs: { id: number; runId: string }[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  store = database.store;
  await saveDagFixture(store, { dagId: "d", tasks: [{ taskId: "a" }, { taskId: "b" }, { taskId: "c" }] });
  for (const date of ["2024-01-01", "2024-01-02"]) {
    const runId = await trigger(store, "d", new Date(date));
    const { rows } = await store.query<{ id: number }>("select id from dag_run where run_id = $1", [runId]);
    runs.push({ id: rows[0]?.id ?? 0, runId });
  }
  // 10 instances of 1,002 bytes each; they compress to next to nothing.
  await push(0, "a", 10, "repeat('x', 1000)");
  await push(0, "b", 3, "repeat('y', 300)");
});
afterAll(() => database.drop());

async function push(run: number, taskId: string, count: number, value: string): Promise<void> {
  await store.query(
    `insert into xcom (dag_run_id, task_id, map_index, key, value)
     select $1, $2, at, 'return_value', to_json(${value} || at) from generate_series(0, $3 - 1) as at`,
    [runs[run]?.id, taskId, count],
  );
}

const page = (run: number, taskId: string, options: { includePriorDates?: boolean; after?: number | null; pageBytes: number }) =>
  readXcomPage(
    store,
    { dagId: "d", runId: runs[run]?.runId ?? "", taskId, key: "return_value" },
    { includePriorDates: false, after: null, ...options },
  );

test("values come in pages of at most one value more than asked for, in the order of their map indexes, each once", async () => {
  const seen: unknown[] = [];
  const sizes: number[] = [];
  for (let after: number | null = null; ; ) {
    const { values, next } = await page(0, "a", { after, pageBytes: 2_500 });
    seen.push(...values);
    sizes.push(values.length);
    if (next === null) break;
    expect(next.runId).toBe(runs[0]?.runId);
    after = next.after;
  }
  expect(sizes).toEqual([3, 3, 3, 1]);
  expect(seen.map((value) => String(value).slice(-1)).join("")).toBe("0123456789");
});

test("a value larger than a page is a page, one page holds all that fits, and there may be none", async () => {
  expect((await page(0, "a", { pageBytes: 1 })).values).toHaveLength(1);
  expect(await page(0, "b", { pageBytes: 1_000_000 })).toMatchObject({ next: null, values: { length: 3 } });
  expect(await page(0, "c", { pageBytes: 100 })).toEqual({ values: [], next: null });
  expect(await page(0, "a", { after: 9, pageBytes: 100 })).toEqual({ values: [], next: null });
});

test("with prior dates the first page names the run that has them", async () => {
  const first = await page(1, "a", { includePriorDates: true, pageBytes: 2_000 });
  expect(first.next).toEqual({ runId: runs[0]?.runId, after: 1 });
  expect((await page(1, "a", { pageBytes: 2_000 })).values).toEqual([]);
});

test("of a start's inputs those that are small come whole, the others not at all, whatever they compress to", async () => {
  const id = runs[0]?.id ?? 0;
  const wanted = [
    { dagRunId: id, taskId: "a", key: "return_value", mapIndex: null },
    { dagRunId: id, taskId: "a", key: "return_value", mapIndex: 4 },
    { dagRunId: id, taskId: "b", key: "return_value", mapIndex: null },
  ];
  const find = async (inputBytes: number, allBytes: number) =>
    (await findSmallInputs(store, wanted, { inputBytes, allBytes })).map(({ taskId, mapIndex }) => `${taskId}${mapIndex}`).sort();
  const all = Array.from({ length: 10 }, (_, at) => `a${at}`);
  expect(await find(100_000, 100_000)).toEqual(["b0", "b1", "b2", ...all, "a4"].sort());
  expect(await find(5_000, 100_000)).toEqual(["a4", "b0", "b1", "b2"]);
  expect(await find(950, 100_000)).toEqual(["b0", "b1", "b2"]);
  // Three values of 303 bytes do not fit into 900, so none of them comes.
  expect(await find(900, 100_000)).toEqual([]);
  expect((await find(100_000, 11_000)).filter((name) => name.startsWith("b")).length % 3).toBe(0);
});
