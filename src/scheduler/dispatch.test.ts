import fc from "fast-check";
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

test("a pool is never overdrawn, and what does not fit keeps the slots that are left from all behind it", () => {
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
  expect(ids(chosen)).toEqual(["two"]);
  const others = [
    candidate({ id: "wide", pool: "p", poolSlots: 2, poolFree: 1, runFree: 2 }),
    candidate({ id: "same_pool", ...pool, poolFree: 1 }),
  ];
  const beside = [
    candidate({ id: "same_run", runFree: 2 }),
    candidate({ id: "too_much", runFree: 2 }),
    candidate({ id: "other", dagRunId: 2 }),
  ];
  expect(ids(choose([...others, ...beside], slots(), 10).chosen), "its place in its run is kept, too").toEqual([
    "same_run",
    "other",
  ]);
  expect(
    ids(choose([...others.reverse(), ...beside], slots(), 10).chosen),
    "what is before it goes first, and what is left of nothing is kept for nobody",
  ).toEqual(["same_pool", "same_run", "too_much", "other"]);
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
  expect(ids(heldByTask)).toEqual(["y"]);
});

/** What limits hold for a whole look: free places per executor, per pool, per run and per task, as a look would find them. */
const looks = fc.record({
  slots: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
  poolsFree: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 }),
  runsFree: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 }),
  tasksMax: fc.array(fc.option(fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 3 }),
  room: fc.integer({ min: 0, max: 12 }),
  picks: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat(), fc.integer({ min: 1, max: 3 })), { maxLength: 30 }),
});

test("with any executors, limits and candidates: no limit is passed, and no place stays empty but those kept for the first in line of a pool", () => {
  fc.assert(
    fc.property(looks, ({ slots, poolsFree, runsFree, tasksMax, room, picks }) => {
      const at = <T>(list: readonly T[], number: number) => number % list.length;
      const candidates = picks.map(([executor, pool, run, task, poolSlots], place) =>
        candidate({
          id: String(place),
          executor: `e${at(slots, executor)}`,
          pool: `p${at(poolsFree, pool)}`,
          poolSlots,
          poolFree: poolsFree[at(poolsFree, pool)] ?? 0,
          dagRunId: at(runsFree, run),
          runFree: runsFree[at(runsFree, run)] ?? 0,
          taskId: `t${at(tasksMax, task)}`,
          maxActiveTisPerDag: tasksMax[at(tasksMax, task)] ?? null,
        }),
      );
      const open = new Map(slots.map((free, number) => [`e${number}`, free]));
      const { chosen, heldByTask } = choose(candidates, new Map(open), room);
      const taken = (test: (one: Candidate) => boolean) => chosen.filter(test);
      const leftFor = (one: Candidate) => ({
        room: room - chosen.length,
        executor: (open.get(one.executor) ?? 0) - taken(({ executor }) => executor === one.executor).length,
        pool: one.poolFree - taken(({ pool }) => pool === one.pool).reduce((sum, { poolSlots }) => sum + poolSlots, 0),
        run: one.runFree - taken(({ dagRunId }) => dagRunId === one.dagRunId).length,
        task: (one.maxActiveTisPerDag ?? 99) - taken(({ taskId }) => taskId === one.taskId).length,
      });
      for (const one of chosen) expect(Math.min(...Object.values(leftFor(one))), "a limit was passed").toBeGreaterThanOrEqual(0);
      // First in line: of its pool's candidates that were not chosen, the first that nothing but the pool holds up.
      const waiting = new Map<string, Candidate>();
      for (const one of candidates.filter((each) => !chosen.includes(each))) {
        const left = leftFor(one);
        const fits = Math.min(left.room, left.executor, left.run, left.task) > 0 && left.pool >= one.poolSlots;
        const before = candidates.slice(0, candidates.indexOf(one));
        const wide = before.filter((other) => !chosen.includes(other) && other.poolSlots > 1);
        const isBehind = wide.some(
          (other) => other.pool === one.pool || other.dagRunId === one.dagRunId || other.taskId === one.taskId,
        );
        expect(fits && !isBehind, `candidate ${one.id} was passed over`).toBe(false);
        const mayStart = Math.min(left.room, left.executor, left.run, left.task) > 0;
        // Behind another that waits in its run or of its task, it has no place there.
        const hasPlace = !wide.some((other) => other.dagRunId === one.dagRunId || other.taskId === one.taskId);
        if (left.pool < one.poolSlots && mayStart && hasPlace && !waiting.has(one.pool)) waiting.set(one.pool, one);
      }
      for (const [pool, first] of waiting) {
        const behind = candidates.slice(candidates.indexOf(first)).filter((one) => one.pool === pool && chosen.includes(one));
        expect(ids(behind), `chosen behind ${first.id}, which waits for slots of ${pool}`).toEqual([]);
      }
      expect(ids(chosen)).toEqual(ids(candidates.filter((one) => chosen.includes(one))));
      for (const one of heldByTask) {
        const kept = candidates.filter((other) => other.taskId === one.taskId && other.poolSlots > 1 && !chosen.includes(other));
        expect(leftFor(one).task, "places that are neither taken nor kept").toBeLessThanOrEqual(kept.length);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a log's path names the try and stays below the log folder", () => {
  expect(logPathOf({ dagId: "d", runId: "r", taskId: "g.t", mapIndex: -1, tryNumber: 2 })).toBe(
    "dag_id=d/run_id=r/task_id=g.t/attempt=2.log",
  );
  expect(logPathOf({ dagId: "d", runId: "r", taskId: "t", mapIndex: 3, tryNumber: 1 })).toBe(
    "dag_id=d/run_id=r/task_id=t/map_index=3/attempt=1.log",
  );
});
