import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createGroupPath, SERIALIZED_DAG_VERSION, type SerializedDag, serializedDagSchema } from "../contracts/index.ts";
import {
  canonicalJson,
  downstreamOf,
  findCycle,
  hashDag,
  MAX_TASKS_PER_DAG,
  parseSerializedDag,
  priorityWeights,
  tasksToClear,
  topologicalOrder,
  validateDag,
} from "./index.ts";

type TaskFacts = { upstream?: string[] } & Partial<SerializedDag["tasks"][number]>;

/** A DAG of `{ taskId: upstream }`, or of facts for each task. */
function dagOf(tasks: Record<string, string[] | TaskFacts>, rest: object = {}): SerializedDag {
  return serializedDagSchema.parse({
    schemaVersion: SERIALIZED_DAG_VERSION,
    dagId: "d",
    timetable: { type: "null" },
    tasks: Object.entries(tasks).map(([taskId, facts]) => ({
      taskId,
      operator: "task",
      kind: "function",
      ...(Array.isArray(facts) ? { upstream: facts } : { upstream: [], ...facts }),
    })),
    ...rest,
  });
}

const chainOf = (length: number): Record<string, string[]> =>
  Object.fromEntries(Array.from({ length }, (_, i) => [`t${i}`, i === 0 ? [] : [`t${i - 1}`]]));

describe("hash", () => {
  test("does not depend on the order of keys, and sees every value", () => {
    const dag = dagOf({ a: [] });
    const shuffled = serializedDagSchema.parse(Object.fromEntries(Object.entries(dag).reverse()));
    expect(hashDag(shuffled)).toBe(hashDag(dag));
    expect(hashDag({ ...dag, catchup: true })).not.toBe(hashDag(dag));
    expect(hashDag(dag)).toMatch(/^[0-9a-f]{64}$/);
  });
  test("canonical JSON reads back as the same value, whatever the keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson({ value });
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ value })));
      }),
    );
    expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"x":2},"a":3}'))).toBe('{"__proto__":{"x":2},"a":3,"b":1}');
  });
});

describe("parseSerializedDag", () => {
  test("reads what was written, as text or value", () => {
    const dag = dagOf({ a: [], b: ["a"] });
    expect(parseSerializedDag(JSON.stringify(dag))).toEqual(dag);
    expect(parseSerializedDag(dag)).toEqual(dag);
  });
  test("a poisoned row names its DAG and the path", () => {
    const dag = dagOf({ a: [], b: ["a"] });
    const poisoned = { ...dag, tasks: [dag.tasks[0], { ...dag.tasks[1], retries: -1 }] };
    expect(() => parseSerializedDag(poisoned)).toThrow(/serialized DAG "d" is invalid: tasks\[1\]\.retries: /);
    expect(() => parseSerializedDag("{")).toThrow("serialized DAG is not JSON");
    expect(() => parseSerializedDag(null)).toThrow("(without a dagId)");
  });
});

describe("validateDag", () => {
  const codes = (dag: SerializedDag) => validateDag(dag).map((problem) => problem.code);

  test("a right DAG has no problems", () => {
    expect(
      validateDag(
        dagOf({ a: [], b: ["a"] }, { timetable: { type: "cron", expression: "@daily", timezone: "UTC", intervals: false } }),
      ),
    ).toEqual([]);
  });
  test("names an unknown upstream, input and task group", () => {
    const dag = dagOf({ a: { upstream: ["x"], inputs: [{ taskId: "y", key: "return_value" }], taskGroupId: "g" } });
    expect(codes(dag)).toEqual(["unknown_upstream", "unknown_input", "unknown_task_group"]);
    expect(validateDag(dag)[0]?.message).toContain('task "a" comes after "x"');
  });
  test("names a task group that is there twice, in an unknown one, or inside of itself; and who looks at one ends", () => {
    const group = (groupId: string, parentGroupId: string | null) => ({
      groupId,
      parentGroupId,
      label: "",
      tooltip: "",
      mapping: null,
    });
    const inGroup = dagOf({ a: { taskGroupId: "g1" } });
    const withGroups = (...taskGroups: ReturnType<typeof group>[]) => ({ ...inGroup, taskGroups });
    expect(codes(withGroups(group("g1", null), group("g2", "g1"), group("g3", "g2")))).toEqual([]);
    expect(codes(withGroups(group("g1", null), group("g1", null)))).toEqual(["invalid_task_group"]);
    expect(codes(withGroups(group("g1", "none")))).toEqual(["invalid_task_group"]);
    for (const circle of [
      [group("g1", "g1")],
      [group("g1", "g2"), group("g2", "g1")],
      [group("g1", "g2"), group("g2", "g3"), group("g3", "g2")],
    ]) {
      expect(new Set(codes(withGroups(...circle)))).toEqual(new Set(["invalid_task_group"]));
      expect(createGroupPath(circle)("g1").length).toBe(circle.length);
    }
  });
  test("names the cycle, in the direction of the edges", () => {
    const [problem] = validateDag(dagOf({ a: ["c"], b: ["a"], c: ["b"], free: [] }));
    expect(problem?.code).toBe("cycle");
    expect(["a → b → c → a", "b → c → a → b", "c → a → b → c"]).toContain(problem?.message.split("cycle: ")[1]);
  });
  test("a task after itself is a cycle of one", () => {
    expect(findCycle(dagOf({ a: ["a"] }))).toEqual(["a"]);
  });
  test("a cycle of 1,000 tasks is found whole and told short", () => {
    const dag = dagOf({ ...chainOf(1_000), t0: ["t999"] });
    expect(findCycle(dag)).toHaveLength(1_000);
    expect(validateDag(dag)[0]?.message).toContain("981 more");
  });
  test("a chain of 50,000 has none", () => {
    const dag = dagOf(chainOf(50_000));
    expect(findCycle(dag)).toBeNull();
    expect(topologicalOrder(dag).at(-1)).toBe("t49999");
  });
  test("invalid schedule, unreadable date, duplicate task", () => {
    expect(
      codes(dagOf({}, { timetable: { type: "cron", expression: "0 0 31 2 *", timezone: "UTC", intervals: false } })),
    ).toEqual(["invalid_schedule"]);
    expect(codes(dagOf({}, { startDate: "tomorrow" }))).toEqual(["invalid_dates"]);
    const dag = dagOf({ a: [] });
    expect(codes({ ...dag, tasks: [...dag.tasks, ...dag.tasks] })).toEqual(["duplicate_task"]);
  });
  test("too many tasks and ids out of the rule", () => {
    const dag = dagOf({ a: [] });
    const [task] = dag.tasks;
    if (!task) throw new Error("no task");
    expect(codes({ ...dag, tasks: Array.from({ length: MAX_TASKS_PER_DAG + 1 }, () => task) })).toEqual(["too_many_tasks"]);
    expect(codes({ ...dag, tasks: [{ ...task, taskId: "../x" }] })).toEqual(["invalid_id"]);
  });
});

describe("priorityWeights", () => {
  const diamond = { a: [], b: ["a"], c: ["a"], d: ["b", "c"] };
  const withRule = (weightRule: "downstream" | "upstream" | "absolute") =>
    dagOf(
      Object.fromEntries(
        Object.entries(diamond).map(([id, upstream], i) => [id, { upstream, weightRule, priorityWeight: 10 ** i }]),
      ),
    );

  test("downstream counts every descendant once", () => {
    expect(Object.fromEntries(priorityWeights(withRule("downstream")))).toEqual({ a: 1111, b: 1010, c: 1100, d: 1000 });
  });
  test("upstream counts every ancestor once", () => {
    expect(Object.fromEntries(priorityWeights(withRule("upstream")))).toEqual({ a: 1, b: 11, c: 101, d: 1111 });
  });
  test("absolute is the task's own", () => {
    expect(Object.fromEntries(priorityWeights(withRule("absolute")))).toEqual({ a: 1, b: 10, c: 100, d: 1000 });
  });
  test("clamps to 32 bits on both sides", () => {
    const heavy = (priorityWeight: number) =>
      priorityWeights(
        dagOf({
          a: { priorityWeight },
          b: { upstream: ["a"], priorityWeight },
          c: { upstream: ["b"], priorityWeight },
        }),
      );
    expect(heavy(1_000_000_000).get("a")).toBe(2_147_483_647);
    expect(heavy(-1_000_000_000).get("a")).toBe(-2_147_483_648);
  });
  test("equals the sum over sets in random DAGs larger than a block", () => {
    const edges = fc.array(fc.tuple(fc.nat(69), fc.nat(69)), { maxLength: 200 });
    fc.assert(
      fc.property(edges, fc.array(fc.integer({ min: -5, max: 50 }), { minLength: 70, maxLength: 70 }), (pairs, weights) => {
        const upstream: string[][] = weights.map(() => []);
        for (const [a, b] of pairs) if (a !== b) upstream[Math.max(a, b)]?.push(`t${Math.min(a, b)}`);
        const weightRule = "upstream" as const;
        const dag = dagOf(
          Object.fromEntries(
            weights.map((priorityWeight, i) => [
              `t${i}`,
              { upstream: [...new Set(upstream[i])].sort(), priorityWeight, weightRule },
            ]),
          ),
        );
        const ancestors: Set<number>[] = [];
        for (const [i, list] of upstream.entries()) {
          const direct = list.map((id) => Number(id.slice(1)));
          ancestors.push(new Set([...direct, ...direct.flatMap((id) => [...(ancestors[id] ?? [])])]));
          const expected = [...(ancestors[i] ?? [])].reduce((sum, id) => sum + (weights[id] ?? 0), weights[i] ?? 0);
          expect(priorityWeights(dag).get(`t${i}`)).toBe(expected);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe("tasksToClear", () => {
  const dag = dagOf({ a: [], b: ["a"], c: ["b"], d: ["b"], e: ["d"] });
  test("itself, with ancestors or descendants as asked", () => {
    expect(tasksToClear(dag, ["b"], { upstream: false, downstream: false })).toEqual(["b"]);
    expect(tasksToClear(dag, ["d"], { upstream: true, downstream: false })).toEqual(["a", "b", "d"]);
    expect(tasksToClear(dag, ["b"], { upstream: false, downstream: true })).toEqual(["b", "c", "d", "e"]);
  });
  test("both ways does not reach an ancestor's other descendants, nor unknown ids", () => {
    expect(tasksToClear(dag, ["d", "nope"], { upstream: true, downstream: true })).toEqual(["a", "b", "d", "e"]);
  });
  test("brings the setup of a chosen task and that setup's teardown", () => {
    const withSetup = dagOf({
      make: { isSetup: true },
      work: ["make"],
      drop: { upstream: ["make", "work"], isTeardown: true },
      other: [],
    });
    expect(tasksToClear(withSetup, ["work"], { upstream: false, downstream: false })).toEqual(["make", "work", "drop"]);
  });
  test("brings setups at any distance, those of descendants too, and no setup whose teardown is past", () => {
    // make → early → work → late, drop after work; make2 → late → drop2
    const dag = dagOf({
      make: { isSetup: true },
      early: ["make"],
      work: ["early"],
      drop: { upstream: ["make", "work"], isTeardown: true },
      make2: { isSetup: true },
      late: ["work", "make2"],
      drop2: { upstream: ["make2", "late"], isTeardown: true },
    });
    const clear = (taskId: string, upstream = false, downstream = false) => tasksToClear(dag, [taskId], { upstream, downstream });
    expect(clear("work")).toEqual(["make", "work", "drop"]);
    expect(clear("work", false, true)).toEqual(["make", "work", "drop", "make2", "late", "drop2"]);
    expect(clear("late")).toEqual(["make2", "late", "drop2"]);
    expect(clear("late", true)).toEqual(["make", "early", "work", "drop", "make2", "late", "drop2"]);
    expect(clear("make")).toEqual(["make", "drop"]);
    expect(clear("drop")).toEqual(["drop"]);
  });
  test("50,000 in a chain: no recursion", () => {
    expect(tasksToClear(dagOf(chainOf(50_000)), ["t0"], { upstream: false, downstream: true })).toHaveLength(50_000);
  });
});

test("downstreamOf mirrors upstream", () => {
  expect(downstreamOf(dagOf({ a: [], b: ["a"], c: ["a", "b"] }))).toEqual(
    new Map([
      ["a", ["b", "c"]],
      ["b", ["c"]],
      ["c", []],
    ]),
  );
});
