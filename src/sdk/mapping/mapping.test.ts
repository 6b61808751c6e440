import { expect, test } from "vitest";
import { BashOperator } from "../../operators/index.ts";
import { assertValidDag } from "../../serialized/index.ts";
import { serializeDag } from "../dag/serialize-dag.ts";
import { concat, dag, task, taskGroup, type XComArg, zip } from "../index.ts";

const define = (body: () => void) => serializeDag(dag({ dagId: "d" }, body));
const taskOf = (body: () => void, taskId: string) => define(body).tasks.find((one) => one.taskId === taskId);
const list = () => task({ taskId: "list" }, async () => [1, 2])();
const use = task({ taskId: "use" }, async (_ctx, n: number, m: number) => n + (m ?? 0));
const codeOf = (body: () => void): string => {
  try {
    define(body);
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "none";
};

test("what is mapped over is serialized as shape, its tasks come upstream, and are no inputs: only one element is read", () => {
  const found = taskOf(() => {
    const xs = list();
    use.expand(
      zip(xs, concat(xs, [1]), { fillValue: 0 }).map(() => 1),
      [4, 5, 6],
    );
  }, "use");
  expect(found).toMatchObject({ upstream: ["list"], inputs: [] });
  expect(found?.mapping).toEqual({
    kind: "expand",
    inputs: [
      {
        name: "argument 1",
        source: {
          type: "zip",
          isFilled: true,
          sources: [
            { type: "xcom", taskId: "list" },
            {
              type: "concat",
              sources: [
                { type: "xcom", taskId: "list" },
                { type: "literal", length: 1 },
              ],
            },
          ],
        },
      },
      { name: "argument 2", source: { type: "literal", length: 3 } },
    ],
  });
});

test("a list of results in the file makes edges and inputs of each", () => {
  const found = taskOf(() => {
    const one = task({ taskId: "one" }, async () => 1)();
    use.partial(1).expand([one, 2]);
  }, "use");
  expect(found).toMatchObject({ upstream: ["one"], inputs: [{ taskId: "one", key: "return_value" }] });
});

test("a mapped group comes after what it is mapped over, and so do the tasks that get its elements", () => {
  const serialized = define(() => {
    const group = taskGroup("g", (n: XComArg<number>) => {
      const first = task({ taskId: "first" }, async () => 1)();
      const second = use(n, first);
      return second;
    }).expand(list());
    task({ taskId: "end" }, async (_ctx, _all: number[]) => 1)(group.result);
  });
  assertValidDag(serialized);
  expect(serialized.taskGroups[0]?.mapping?.inputs).toHaveLength(1);
  expect(Object.fromEntries(serialized.tasks.map(({ taskId, upstream }) => [taskId, upstream]))).toEqual({
    end: ["g.use"],
    "g.first": ["list"],
    "g.use": ["g.first", "list"],
    list: [],
  });
});

test("mapping inside a mapped group, and groups mapped in one another, are refused", () => {
  expect(codeOf(() => void taskGroup("g", (n: XComArg<number>) => use.partial(1).expand([2]).after(n)).expand([1]))).toBe(
    "MAPPING_NESTED",
  );
  expect(
    codeOf(
      () =>
        void taskGroup("g", (_n: XComArg<number>) => taskGroup("h", (m: XComArg<number>) => use(m, 1)).expand([2])).expand([1]),
    ),
  ).toBe("MAPPING_NESTED");
  expect(
    codeOf(
      () =>
        void taskGroup("g", (_n: XComArg<number>) => BashOperator.partial({ taskId: "b" }).expand({ bashCommand: ["x"] })).expand(
          [1],
        ),
    ),
  ).toBe("MAPPING_NESTED");
});

test("what cannot be mapped over is refused where it is written", () => {
  const anything = use as unknown as {
    expand(...given: unknown[]): void;
    partial(...given: unknown[]): { expand(...given: unknown[]): void };
  };
  expect(codeOf(() => anything.expand())).toBe("MAPPING_INVALID");
  expect(codeOf(() => anything.expand("text"))).toBe("MAPPING_INVALID");
  expect(codeOf(() => anything.expand(list().at("key"), [1]))).toBe("MAPPING_INVALID");
  expect(codeOf(() => anything.expand([new Date()], [1]))).toBe("TASK_ARGUMENT_NOT_JSON");
  expect(codeOf(() => void zip([1], [2]))).toBe("MAPPING_INVALID");
  expect(codeOf(() => anything.partial({ n: 1 }).expand({ n: [1] }))).toBe("MAPPING_INVALID");
  const bash = BashOperator.partial({ taskId: "b", cwd: "/" }) as unknown as {
    expand(given: unknown): void;
    expandKwargs(given: unknown): void;
  };
  expect(codeOf(() => bash.expand({ cwd: ["/"] }))).toBe("MAPPING_INVALID");
  expect(codeOf(() => bash.expand({ bashCommand: ["x"], retries: [1] }))).toBe("MAPPING_INVALID");
  expect(codeOf(() => bash.expandKwargs([{ bashCommand: "x", pool: "p" }]))).toBe("MAPPING_INVALID");
  expect(codeOf(() => bash.expandKwargs(["x"]))).toBe("MAPPING_INVALID");
});

test("an element of a group outside of it is refused", () => {
  expect(
    codeOf(() => {
      let leaked: XComArg<number> | undefined;
      taskGroup("g", (n: XComArg<number>) => {
        leaked = n;
        return use(n, 1);
      }).expand([1]);
      if (leaked) use.override({ taskId: "outside" })(leaked, 1);
    }),
  ).toBe("MAPPING_INVALID");
});

test("a stored DAG that is mapped over nobody, inside itself, or over too much is invalid", () => {
  const serialized = define(() => void use.expand(list(), [1]));
  const each = serialized.tasks.find(({ taskId }) => taskId === "use");
  if (!each?.mapping) throw new Error("not mapped");
  each.mapping.inputs = [{ name: "n", source: { type: "xcom", taskId: "nobody" } }];
  expect(() => assertValidDag(serialized)).toThrow('mapped over "nobody"');
  each.mapping.inputs = [{ name: "n", source: { type: "literal", length: 100_001 } }];
  expect(() => assertValidDag(serialized)).toThrow("100001 elements");
  each.mapping.inputs = [{ name: "n", source: { type: "literal", length: 1 } }];
  each.taskGroupId = "g";
  serialized.taskGroups = [{ groupId: "g", parentGroupId: null, label: "g", tooltip: "", mapping: each.mapping }];
  expect(() => assertValidDag(serialized)).toThrow('inside the mapped task group "g"');
});
