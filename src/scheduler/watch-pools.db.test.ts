import { afterEach, beforeEach, expect, test } from "vitest";
import { saveDagFixture, serializedDag } from "../../tests/support/dag-fixture.ts";
import type { TestDatabase } from "../../tests/support/database.ts";
import { createRig, createSchedulerDatabase } from "../../tests/support/scheduler-rig.ts";
import { type Logger, silentLogger } from "../platform/index.ts";
import { deletePool, saveDagPools, setPool } from "../store/index.ts";
import { createPoolWatch } from "./watch-pools.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

test("the log says once what a DAG's tasks wait for, and once that they do not: for saved DAGs and pools made, narrowed and deleted", async () => {
  const lines: string[] = [];
  const write = (level: string) => (facts: { dagId: string; warning: string }, message: string) =>
    void lines.push(`${level} ${facts.dagId} ${facts.warning}: ${message}`);
  const logger = { ...silentLogger, warn: write("warn"), info: write("info") } as unknown as Logger;
  const watch = createPoolWatch((await createRig(database, { logger })).resources);
  const check = async () => {
    lines.length = 0;
    await watch.check();
    return [...lines];
  };
  const pool = (slots: number) => setPool(database.store, { pool: "zoo", slots, description: null, includeDeferred: false });
  const save = async (poolSlots: number) => {
    const tasks = [{ taskId: "t", pool: "zoo", poolSlots }];
    await saveDagFixture(database.store, { dagId: "d", tasks });
    await saveDagPools(database.store, serializedDag({ dagId: "d", tasks }));
  };
  const mended = (warning: string) => `info d ${warning}: the DAG's tasks no longer wait for a missing or too small pool`;
  expect(await check()).toEqual([]);
  await save(2);
  const missing =
    "warn d non-existent pool: Tasks name pools that do not exist and wait until they do: zoo. Make or widen the pools (baram pools set), or change the DAG";
  expect(await check()).toEqual([missing]);
  expect(await check(), "once").toEqual([]);
  await pool(1);
  expect(await check()).toEqual([expect.stringContaining("warn d pool too small: "), mended("non-existent pool")]);
  await save(3);
  expect(await check(), "what it says has changed").toEqual([expect.stringContaining("zoo (3 of 1)")]);
  await pool(3);
  expect(await check()).toEqual([mended("pool too small")]);
  await deletePool(database.store, "zoo");
  expect(await check()).toEqual([missing]);
});
