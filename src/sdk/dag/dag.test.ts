import { describe, expect, it } from "vitest";
import { serializedDagSchema } from "../../contracts/index.ts";
import { EmptyOperator } from "../../operators/index.ts";
import { chain, cron, crossDownstream, type DagDefinition, dag, delta, param, task, taskGroup } from "../index.ts";
import { collectDags, serializeDag } from "../runtime.ts";

const empty = (taskId: string) => new EmptyOperator({ taskId });
const noop = (taskId: string) => task({ taskId }, async (_ctx, ..._inputs: unknown[]) => taskId);
const serializedTask = (definition: DagDefinition, taskId: string) => {
  const found = serializeDag(definition).tasks.find((each) => each.taskId === taskId);
  if (found === undefined) throw new Error(`no task ${taskId}`);
  return found;
};
const upstreamOf = (definition: DagDefinition, taskId: string) => serializedTask(definition, taskId).upstream;

describe("dag()", () => {
  it("gives its body the same task and sensor that there are to import, typed with its params", () => {
    const definition = dag({ dagId: "typed", params: { limit: 5 } }, (typed) => {
      expect(typed.task).toBe(task);
      const read = typed.task({ taskId: "read" }, (ctx) => ctx.params.limit + 1);
      const wait = typed.sensor({ taskId: "wait" }, (ctx, n: number) => n > ctx.params.limit);
      wait(read());
    });
    expect(upstreamOf(definition, "wait")).toEqual(["read"]);
  });

  it("gives the contract form with every default filled", () => {
    const definition = dag({ dagId: "sales", schedule: "0 0 * * *", startDate: "2024-01-01", tags: ["b", "a"] }, () => {
      const extract = task({ taskId: "extract" }, async (_ctx, path: string) => [path]);
      const load = task({ taskId: "load" }, async (_ctx, rows: string[]) => rows.length);
      load(extract("{{ params.input }}"));
    });
    const serialized = serializeDag(definition);
    expect(serializedDagSchema.parse(serialized)).toEqual(serialized);
    expect(serialized).toMatchObject({
      dagId: "sales",
      timetable: { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: false },
      scheduleSummary: "0 0 * * *",
      startDate: "2024-01-01T00:00:00Z",
      tags: ["a", "b"],
      owners: ["baram"],
      maxActiveRuns: 16,
      catchup: false,
    });
    expect(serialized.tasks[0]).toMatchObject({
      taskId: "extract",
      operator: "task",
      kind: "function",
      isEmpty: false,
      upstream: [],
      templateFields: ["args"],
      templateFieldValues: { args: ["{{ params.input }}"] },
      retryDelaySec: 300,
    });
    expect(serialized.tasks[1]).toMatchObject({
      taskId: "load",
      upstream: ["extract"],
      inputs: [{ taskId: "extract", key: "return_value" }],
    });
  });

  it("serializes the same whatever order tasks and options were written in", () => {
    const define = (order: string[]) =>
      dag({ dagId: "d", params: Object.fromEntries(order.map((name) => [name, 1])) }, () => {
        const last = empty("last");
        for (const taskId of order) empty(taskId).before(last);
      });
    expect(JSON.stringify(serializeDag(define(["a", "b", "c"])))).toBe(JSON.stringify(serializeDag(define(["c", "a", "b"]))));
  });

  it("lets a task option win over the group's defaultArgs, and those over the DAG's", () => {
    const definition = dag({ dagId: "d", executor: "local", defaultArgs: { retries: 1, owner: "dag", queue: "q" } }, () => {
      taskGroup({ groupId: "g", defaultArgs: { retries: 2, owner: "group" } }, () => {
        new EmptyOperator({ taskId: "t", retries: 3, queue: undefined });
      });
    });
    expect(serializedTask(definition, "g.t")).toMatchObject({ retries: 3, owner: "group", queue: "q", executor: "local" });
  });

  it("turns durations, instants and flags into the contract's units", () => {
    const definition = dag({ dagId: "d", timezone: "Asia/Seoul", dagrunTimeout: { hours: 1 } }, () => {
      new EmptyOperator({
        taskId: "t",
        retryDelay: "1h30m",
        maxRetryDelay: { minutes: 5 },
        retryExponentialBackoff: true,
        executionTimeout: "500ms",
        waitForDownstream: true,
        startDate: "2024-01-01",
        onSuccess: () => {},
      });
      new EmptyOperator({ taskId: "cleanup", isTeardown: true });
    });
    expect(serializedTask(definition, "t")).toMatchObject({
      retryDelaySec: 5400,
      maxRetryDelaySec: 300,
      retryExponentialBackoff: 2,
      executionTimeoutSec: 0.5,
      dependsOnPast: true,
      startDate: "2023-12-31T15:00:00Z",
      callbacks: { onSuccess: true, onFailure: false },
      isEmpty: false,
    });
    expect(serializedTask(definition, "cleanup")).toMatchObject({ triggerRule: "all_done_setup_success", isEmpty: true });
    expect(serializeDag(definition).dagrunTimeoutSec).toBe(3600);
  });

  it.each([
    [null, { type: "null" }, null],
    [undefined, { type: "null" }, null],
    ["@once", { type: "once" }, "@once"],
    ["@continuous", { type: "continuous" }, "@continuous"],
    ["@daily", { type: "cron", expression: "0 0 * * *", timezone: "Asia/Seoul", intervals: false }, "@daily"],
    [{ minutes: 30 }, { type: "delta", seconds: 1800, intervals: false }, "30 minutes"],
    [delta("30m", { intervals: true }), { type: "delta", seconds: 1800, intervals: true }, "30m"],
    [
      cron("0 9 * * 1-5", { timezone: "UTC" }),
      { type: "cron", expression: "0 9 * * 1-5", timezone: "UTC", intervals: false },
      "0 9 * * 1-5",
    ],
  ])("understands the schedule %j", (schedule, timetable, scheduleSummary) => {
    const definition = dag({ dagId: "d", timezone: "Asia/Seoul", schedule }, () => {});
    expect(serializeDag(definition)).toMatchObject({ timetable, scheduleSummary });
  });

  it("keeps params with their schemas, and a param without default as required", () => {
    const definition = dag(
      {
        dagId: "d",
        params: { path: "in.csv", limit: param(5, { schema: { type: "integer" }, description: "rows" }), key: param(undefined) },
      },
      () => {},
    );
    expect(serializeDag(definition).params).toEqual({
      path: { value: "in.csv", description: null, schema: {} },
      limit: { value: 5, description: "rows", schema: { type: "integer" } },
      key: { description: null, schema: {} },
    });
  });
});

describe("edges", () => {
  it("follow before, after, chain with lists, and crossDownstream", () => {
    const definition = dag({ dagId: "d" }, () => {
      const [a, b, c, d, e, f, g] = [..."abcdefg"].map(empty) as [EmptyOperator, ...EmptyOperator[]] &
        Record<number, EmptyOperator>;
      chain(a, [b, c] as EmptyOperator[], [d, e] as EmptyOperator[], f as EmptyOperator);
      crossDownstream([d, e] as EmptyOperator[], [g as EmptyOperator]);
      g?.after("a");
    });
    expect(upstreamOf(definition, "b")).toEqual(["a"]);
    expect(upstreamOf(definition, "d")).toEqual(["b"]);
    expect(upstreamOf(definition, "e")).toEqual(["c"]);
    expect(upstreamOf(definition, "f")).toEqual(["d", "e"]);
    expect(upstreamOf(definition, "g")).toEqual(["a", "d", "e"]);
  });

  it("of a group reach its first tasks and leave its last ones, however deep and whatever the order of definition", () => {
    const definition = dag({ dagId: "d" }, () => {
      const start = empty("start");
      const outer = taskGroup("outer", () => {
        const one = taskGroup("one", () => {
          noop("y")(noop("x")());
        });
        const two = taskGroup({ groupId: "two", prefixGroupId: false }, () => {
          empty("z");
        });
        return { one, two };
      });
      chain(start, outer, empty("end"));
      outer.result.one.before(outer.result.two);
    });
    expect(definition.taskIds.sort()).toEqual(["end", "outer.one.x", "outer.one.y", "outer.z", "start"]);
    expect(upstreamOf(definition, "outer.one.x")).toEqual(["start"]);
    expect(upstreamOf(definition, "outer.z")).toEqual(["outer.one.y"]);
    expect(upstreamOf(definition, "end")).toEqual(["outer.z"]);
    expect(serializeDag(definition).taskGroups).toEqual([
      { groupId: "outer", parentGroupId: null, label: "outer", tooltip: "", mapping: null },
      { groupId: "outer.one", parentGroupId: "outer", label: "one", tooltip: "", mapping: null },
      { groupId: "outer.two", parentGroupId: "outer", label: "two", tooltip: "", mapping: null },
    ]);
  });

  it("do not wait for a group's teardown", () => {
    const definition = dag({ dagId: "d" }, () => {
      const group = taskGroup("g", () => chain(empty("work"), new EmptyOperator({ taskId: "down", isTeardown: true })));
      group.before(empty("after"));
    });
    expect(upstreamOf(definition, "after")).toEqual(["g.work"]);
  });

  it("follow results nested in objects and arrays", () => {
    const definition = dag({ dagId: "d" }, () => {
      const number = task({ taskId: "n" }, async () => 1);
      const sum = task({ taskId: "sum" }, async (_ctx, input: { parts: number[] }) => input.parts.length);
      sum({ parts: [number(), 2, number()] });
    });
    expect(upstreamOf(definition, "sum")).toEqual(["n", "n__1"]);
  });

  it("are the same for 10,000 tasks in a row, without overflowing the stack", () => {
    const definition = dag({ dagId: "d" }, () => chain(...Array.from({ length: 10_000 }, (_, index) => empty(`t${index}`))));
    expect(upstreamOf(definition, "t9999")).toEqual(["t9998"]);
  });
});

describe("a task function", () => {
  it("called again adds a task with a numbered id, and override changes its options", () => {
    const definition = dag({ dagId: "d" }, () => {
      const extract = task({ taskId: "extract", retries: 1 }, async (_ctx, country: string) => country);
      extract("kr");
      extract("de");
      extract.override({ taskId: "extract_us", retries: 4 })("us");
    });
    expect(definition.taskIds).toEqual(["extract", "extract__1", "extract_us"]);
    expect(serializedTask(definition, "extract_us").retries).toBe(4);
  });
});

describe("collectDags", () => {
  it("finds every DAG defined while loading, exported or not, and keeps concurrent loads apart", async () => {
    const load = (dagIds: string[]) => async () => {
      for (const dagId of dagIds) {
        await Promise.resolve();
        dag({ dagId }, () => {});
      }
    };
    const [first, second] = await Promise.all([collectDags(load(["a", "b"])), collectDags(load(["c"]))]);
    expect(first.map((each) => each.dagId)).toEqual(["a", "b"]);
    expect(second.map((each) => each.dagId)).toEqual(["c"]);
  });

  it("rejects with what the file throws, and works again after", async () => {
    await expect(collectDags(() => Promise.reject(new Error("no such module")))).rejects.toThrow("no such module");
    await expect(collectDags(async () => void dag({ dagId: "a" }, () => {}))).resolves.toHaveLength(1);
  });
});
