import { expect, test } from "vitest";
import { type SerializedDag, serializedDagSchema, type TaskInstanceState } from "../../contracts/index.ts";
import { buildGraph, lengthFromStart } from "./graph.ts";
import { applyEvent, buildPicture, type Decisions, judge, judgeRun, type RunPicture, tellLengths } from "./run-picture.ts";

type Task = { taskId: string; upstream?: string[]; over?: string; literal?: number; rule?: string; group?: string };

function dagOf(tasks: Task[], groups: { groupId: string; over: string }[] = []): SerializedDag {
  const mappingOver = (taskId: string) => ({ kind: "expand", inputs: [{ name: "x", source: { type: "xcom", taskId } }] });
  return serializedDagSchema.parse({
    schemaVersion: 1,
    dagId: "mapped",
    timetable: { type: "null" },
    tasks: tasks.map(({ taskId, upstream = [], over, literal, rule, group }) => ({
      taskId,
      operator: "task",
      kind: "function",
      upstream,
      ...(rule ? { triggerRule: rule } : {}),
      taskGroupId: group ?? null,
      ...(over ? { mapping: mappingOver(over) } : {}),
      ...(literal === undefined
        ? {}
        : { mapping: { kind: "expand", inputs: [{ name: "x", source: { type: "literal", length: literal } }] } }),
    })),
    taskGroups: groups.map(({ groupId, over }) => ({ groupId, parentGroupId: null, label: groupId, mapping: mappingOver(over) })),
  });
}

function pictureOf(dag: SerializedDag, states: Record<string, TaskInstanceState | null> = {}): RunPicture {
  const graph = buildGraph(dag);
  const rows = Object.entries(states).map(([name, state]) => {
    const [, taskId = "", index = "-1"] = /^(\w+)(?:\[(\d+)\])?$/.exec(name) ?? [];
    return { taskId, mapIndex: Number(index), state };
  });
  const known = new Set(rows.map((row) => row.taskId));
  const fresh = dag.tasks.filter(({ taskId }) => !known.has(taskId)).map(({ taskId }) => ({ taskId, mapIndex: -1, state: null }));
  return buildPicture(graph, [...rows, ...fresh], 0);
}

/** Judges until no length is asked for any more, with these lengths of results. */
function judgeWith(picture: RunPicture, lengths: Record<string, number>): Decisions {
  const all: Decisions = { expansions: [], changes: [] };
  for (;;) {
    const { expansions, changes } = judge(picture, () => false);
    all.expansions.push(...expansions);
    all.changes.push(...changes);
    if (picture.wanted.size === 0) return all;
    tellLengths(picture, new Map(Object.entries(lengths)));
  }
}

function statesOf(picture: RunPicture): Record<string, TaskInstanceState | null> {
  const entries = picture.instances.flatMap((instances, task) =>
    [...instances.values()].map(({ mapIndex, state }) => {
      const taskId = picture.graph.tasks[task]?.taskId ?? "";
      return [mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`, state] as const;
    }),
  );
  return Object.fromEntries(entries);
}

const event = (picture: RunPicture, taskId: string, state: TaskInstanceState, mapIndex = -1) =>
  expect(applyEvent(picture, { taskId, mapIndex, state })).toBe(true);

const LIST = [{ taskId: "list" }, { taskId: "each", upstream: ["list"], over: "list" }, { taskId: "sum", upstream: ["each"] }];

test("a mapped task is expanded when its result's length is known, and what follows waits for all instances", () => {
  const picture = pictureOf(dagOf(LIST), { list: "running" });
  expect(judgeWith(picture, {})).toEqual({ expansions: [], changes: [] });
  event(picture, "list", "success");
  const { expansions, changes } = judgeWith(picture, { list: 3 });
  expect(expansions).toEqual([{ task: 1, unmapped: "becomes 0", created: [1, 2], revived: [], removed: [] }]);
  expect(changes.map(({ task, mapIndex, to }) => [task, mapIndex, to])).toEqual([
    [1, 0, "scheduled"],
    [1, 1, "scheduled"],
    [1, 2, "scheduled"],
  ]);
  event(picture, "each", "success", 0);
  event(picture, "each", "success", 2);
  expect(judgeWith(picture, {}).changes).toEqual([]);
  event(picture, "each", "success", 1);
  expect(judgeWith(picture, {}).changes).toEqual([{ task: 2, mapIndex: -1, from: null, to: "scheduled" }]);
});

test("a length of zero skips the task, and a none_failed task behind it runs", () => {
  const picture = pictureOf(dagOf([...LIST, { taskId: "after", upstream: ["each"], rule: "none_failed" }]), { list: "success" });
  judgeWith(picture, { list: 0 });
  expect(statesOf(picture)).toEqual({ list: "success", each: "skipped", sum: "skipped", after: "scheduled" });
});

for (const [from, to] of [
  ["failed", "upstream_failed"],
  ["upstream_failed", "upstream_failed"],
  ["skipped", "skipped"],
] as const) {
  test(`a result that is ${from} makes the task mapped over it ${to}, whatever its trigger rule says`, () => {
    for (const rule of ["all_success", "all_done", "always"]) {
      const picture = pictureOf(dagOf([{ taskId: "list" }, { taskId: "each", upstream: ["list"], over: "list", rule }]), {
        list: from,
      });
      judgeWith(picture, {});
      expect(statesOf(picture).each, rule).toBe(to);
    }
  });
}

test("an always task waits for what it is mapped over", () => {
  const picture = pictureOf(dagOf([{ taskId: "list" }, { taskId: "each", upstream: ["list"], over: "list", rule: "always" }]), {
    list: "running",
  });
  expect(judgeWith(picture, {}).changes).toEqual([]);
  event(picture, "list", "success");
  expect(judgeWith(picture, { list: 2 }).changes).toHaveLength(2);
});

test("a success by hand that left no result ends the mapped task as upstream_failed, with the reason", () => {
  const picture = pictureOf(dagOf(LIST), { list: "success" });
  const { changes } = judgeWith(picture, {});
  expect(changes[0]).toMatchObject({ task: 1, to: "upstream_failed", reason: expect.stringContaining("no list or object") });
});

test("mapped over a mapped task, the length is how many instances left a result", () => {
  const dag = dagOf([
    { taskId: "first", literal: 3 },
    { taskId: "second", upstream: ["first"], over: "first", rule: "all_done" },
  ]);
  const picture = pictureOf(dag, { "first[0]": "success", "first[1]": "failed", "first[2]": "running" });
  expect(judgeWith(picture, { first: 1 }).expansions).toEqual([]);
  event(picture, "first", "success", 2);
  judgeWith(picture, { first: 2 });
  expect(Object.keys(statesOf(picture)).filter((name) => name.startsWith("second"))).toEqual(["second[0]", "second[1]"]);
});

test("lists in the file have their length from the start", () => {
  const graph = buildGraph(dagOf([{ taskId: "a", literal: 3 }, ...LIST]));
  expect(graph.tasks.map((_, task) => lengthFromStart(graph, task))).toEqual([3, null, null, null]);
});

test("after a clear, surplus instances are removed and missing ones made, the others run", () => {
  const cleared = { list: "success", "each[0]": null, "each[1]": null, "each[2]": null } as const;
  const shorter = pictureOf(dagOf(LIST), cleared);
  expect(judgeWith(shorter, { list: 2 }).expansions).toEqual([
    { task: 1, unmapped: "kept", created: [], revived: [], removed: [2] },
  ]);
  expect(statesOf(shorter)).toMatchObject({ "each[0]": "scheduled", "each[1]": "scheduled", "each[2]": "removed" });
  event(shorter, "each", "success", 0);
  event(shorter, "each", "success", 1);
  judgeWith(shorter, {});
  expect(statesOf(shorter).sum, "a removed instance is not waited for").toBe("scheduled");

  const longer = pictureOf(dagOf(LIST), cleared);
  expect(judgeWith(longer, { list: 5 }).expansions).toEqual([
    { task: 1, unmapped: "kept", created: [3, 4], revived: [], removed: [] },
  ]);
  expect(statesOf(longer)).toMatchObject({ "each[3]": "scheduled", "each[4]": "scheduled" });
});

test("a removed instance comes back when the list is long enough again", () => {
  const picture = pictureOf(dagOf(LIST), { list: "success", "each[0]": null, "each[1]": "removed" });
  expect(judgeWith(picture, { list: 2 }).expansions).toEqual([
    { task: 1, unmapped: "kept", created: [], revived: [1], removed: [] },
  ]);
  expect(statesOf(picture)["each[1]"]).toBe("scheduled");
});

test("a list that became empty removes all instances, and the task is skipped as a whole", () => {
  const picture = pictureOf(dagOf(LIST), { list: "success", "each[0]": null, "each[1]": null });
  judgeWith(picture, { list: 0 });
  expect(statesOf(picture)).toEqual({
    list: "success",
    each: "skipped",
    "each[0]": "removed",
    "each[1]": "removed",
    sum: "skipped",
  });
  // Cleared once more, with a list again.
  const again = pictureOf(dagOf(LIST), { list: "success", each: null, "each[0]": null, "each[1]": null });
  expect(judgeWith(again, { list: 2 }).expansions).toEqual([
    { task: 1, unmapped: "dropped", created: [], revived: [], removed: [] },
  ]);
  expect(statesOf(again)).toMatchObject({ "each[0]": "scheduled", "each[1]": "scheduled" });
});

test("one cleared instance runs alone", () => {
  const picture = pictureOf(dagOf(LIST), { list: "success", "each[0]": "success", "each[1]": null, "each[2]": "success" });
  expect(judgeWith(picture, { list: 3 })).toEqual({
    expansions: [],
    changes: [{ task: 1, mapIndex: 1, from: null, to: "scheduled" }],
  });
});

test("an instance does not run while what it is mapped over is made anew", () => {
  const dag = dagOf([{ taskId: "list" }, { taskId: "each", upstream: ["list"], over: "list", rule: "always" }]);
  const picture = pictureOf(dag, { list: "running", "each[0]": null, "each[1]": "success" });
  expect(judgeWith(picture, { list: 2 }).changes).toEqual([]);
  event(picture, "list", "success");
  expect(judgeWith(picture, { list: 2 }).changes).toEqual([{ task: 1, mapIndex: 0, from: null, to: "scheduled" }]);
});

const GROUP = [
  { taskId: "list" },
  { taskId: "a", upstream: ["list"], group: "g" },
  { taskId: "b", upstream: ["a"], group: "g" },
  { taskId: "end", upstream: ["b"], rule: "all_done" },
];

test("in a mapped group each instance waits for its own index only, and what follows for all", () => {
  const picture = pictureOf(dagOf(GROUP, [{ groupId: "g", over: "list" }]), { list: "success" });
  const { expansions } = judgeWith(picture, { list: 3 });
  expect(expansions.map(({ task }) => task)).toEqual([1, 2]);
  event(picture, "a", "success", 1);
  expect(judgeWith(picture, {}).changes).toEqual([{ task: 2, mapIndex: 1, from: null, to: "scheduled" }]);
  event(picture, "a", "failed", 0);
  expect(judgeWith(picture, {}).changes).toEqual([{ task: 2, mapIndex: 0, from: null, to: "upstream_failed" }]);
  event(picture, "a", "skipped", 2);
  expect(judgeWith(picture, {}).changes).toEqual([{ task: 2, mapIndex: 2, from: null, to: "skipped" }]);
  event(picture, "b", "success", 1);
  expect(judgeWith(picture, {}).changes).toEqual([{ task: 3, mapIndex: -1, from: null, to: "scheduled" }]);
  event(picture, "end", "success");
  expect(judgeRun(picture)).toBe("success");
});

test("a group's tasks also wait for tasks outside, and a failed source ends them all as a whole", () => {
  const dag = dagOf(
    [{ taskId: "list" }, { taskId: "x" }, ...GROUP.slice(1, 3), { taskId: "c", upstream: ["a", "x"], group: "g" }],
    [{ groupId: "g", over: "list" }],
  );
  const picture = pictureOf(dag, { list: "success", x: "running" });
  judgeWith(picture, { list: 2 });
  event(picture, "a", "success", 0);
  event(picture, "a", "success", 1);
  judgeWith(picture, {});
  expect(statesOf(picture)).toMatchObject({ "b[0]": "scheduled", "b[1]": "scheduled", "c[0]": null, "c[1]": null });
  event(picture, "x", "success");
  judgeWith(picture, {});
  expect(statesOf(picture)).toMatchObject({ "c[0]": "scheduled", "c[1]": "scheduled" });

  const failing = pictureOf(dag, { list: "failed", x: "running" });
  judgeWith(failing, {});
  expect(statesOf(failing)).toMatchObject({ a: "upstream_failed", b: "upstream_failed", c: "upstream_failed" });
});

test("in a mapped group an instance stands on the setup of its own index", () => {
  const dag = dagOf(
    [
      { taskId: "list" },
      { taskId: "make", upstream: ["list"], group: "g" },
      { taskId: "use", upstream: ["make"], group: "g" },
      { taskId: "last", upstream: ["use"], rule: "all_done", group: "g" },
      { taskId: "drop", upstream: ["make", "last"], rule: "all_done_setup_success", group: "g" },
    ],
    [{ groupId: "g", over: "list" }],
  );
  for (const task of dag.tasks) {
    task.isSetup = task.taskId === "make";
    task.isTeardown = task.taskId === "drop";
  }
  const picture = pictureOf(dag, { list: "success" });
  judgeWith(picture, { list: 2 });
  event(picture, "make", "success", 1);
  judgeWith(picture, {});
  event(picture, "use", "success", 1);
  judgeWith(picture, {});
  expect(statesOf(picture)).toMatchObject({ "last[0]": null, "last[1]": "scheduled" });
  event(picture, "make", "failed", 0);
  judgeWith(picture, {});
  expect(statesOf(picture)).toMatchObject({ "use[0]": "upstream_failed", "last[0]": "upstream_failed", "last[1]": "scheduled" });
});

test("a thousand instances cost as much per event as ten: nothing that is judged grows with their number", () => {
  const judged = (size: number) => {
    const dag = dagOf(
      [...GROUP, { taskId: "x", literal: size }, { taskId: "c", upstream: ["a", "x"], group: "g" }],
      [{ groupId: "g", over: "list" }],
    );
    const xs = Object.fromEntries(Array.from({ length: size }, (_, at) => [`x[${at}]`, "running" as const]));
    const picture = pictureOf(dag, { list: "success", ...xs });
    judgeWith(picture, { list: size });
    const before = performance.now();
    for (let at = 0; at < size; at++) {
      for (const taskId of ["a", "b", "x"]) {
        applyEvent(picture, { taskId, mapIndex: at, state: "success" });
        judge(picture, () => false);
      }
    }
    const perEventMs = (performance.now() - before) / (3 * size);
    event(picture, "c", "success", 0);
    expect(statesOf(picture)).toMatchObject({ end: "scheduled", [`c[${size - 1}]`]: "scheduled" });
    return perEventMs;
  };
  judged(100);
  const small = judged(100);
  // Ten times as many; were it quadratic, an event would cost ten times as much.
  expect(judged(3_000)).toBeLessThan(Math.max(small * 8, 0.05));
});
