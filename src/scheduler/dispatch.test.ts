import { expect, test } from "vitest";
import type { Candidate } from "../store/index.ts";
import { logPathOf } from "./commands/index.ts";
import { choose } from "./dispatch.ts";

function candidate(facts: Partial<Candidate> & { id: string }): Candidate {
  return {
    dagRunId: 1,
    dagId: "d",
    taskId: facts.id,
    versionId: "v",
    pool: "default_pool",
    poolSlots: 1,
    poolFree: 100,
    runFree: 100,
    executor: "LocalExecutor",
    maxActiveTisPerDag: null,
    maxActiveTisPerDagrun: null,
    activeOfTask: 0,
    activeOfTaskInRun: 0,
    activeOfJob: 0,
    ...facts,
  };
}
const ids = (chosen: readonly Candidate[]) => chosen.map((one) => one.id);
const slots = (free = 100) => new Map([["LocalExecutor", free]]);

test("candidates are taken in their order until the room is spent", () => {
  const { chosen } = choose([candidate({ id: "a" }), candidate({ id: "b" }), candidate({ id: "c" })], slots(), 2);
  expect(ids(chosen)).toEqual(["a", "b"]);
});

test("a pool is never overdrawn, and what does not fit lets smaller ones pass", () => {
  const pool = { pool: "p", poolFree: 3 };
  const { chosen } = choose(
    [
      candidate({ id: "two", poolSlots: 2, ...pool }),
      candidate({ id: "also_two", poolSlots: 2, ...pool }),
      candidate({ id: "one", ...pool }),
    ],
    slots(),
    10,
  );
  expect(ids(chosen)).toEqual(["two", "one"]);
});

test("a run at its limit and an executor without slots hold only their own", () => {
  const { chosen } = choose(
    [
      candidate({ id: "a", dagRunId: 1, runFree: 1 }),
      candidate({ id: "b", dagRunId: 1, runFree: 1 }),
      candidate({ id: "c", dagRunId: 2 }),
      candidate({ id: "d", executor: "Other" }),
    ],
    new Map([
      ["LocalExecutor", 5],
      ["Other", 0],
    ]),
    10,
  );
  expect(ids(chosen)).toEqual(["a", "c"]);
});

test("maxActiveTisPerDag counts what is active and what is chosen, and names whom it held back", () => {
  const mapped = (id: string) => candidate({ id, taskId: "m", maxActiveTisPerDag: 2, activeOfTask: 1 });
  const { chosen, heldByTask } = choose([mapped("x"), mapped("y"), candidate({ id: "z" })], slots(), 10);
  expect(ids(chosen)).toEqual(["x", "z"]);
  expect(heldByTask).toEqual(["y"]);
});

test("a log's path names the try and stays below the log folder", () => {
  expect(logPathOf({ dagId: "d", runId: "r", taskId: "g.t", mapIndex: -1, tryNumber: 2 })).toBe(
    "dag_id=d/run_id=r/task_id=g.t/attempt=2.log",
  );
  expect(logPathOf({ dagId: "d", runId: "r", taskId: "t", mapIndex: 3, tryNumber: 1 })).toBe(
    "dag_id=d/run_id=r/task_id=t/map_index=3/attempt=1.log",
  );
});
