import { describe, expectTypeOf, it } from "vitest";
import { branch, sensor, shortCircuit } from "../../operators/index.ts";
import { dag, type JsonValue, type ParamValues, param, type TaskContext, task, type XComArg } from "../index.ts";

describe("a task's result", () => {
  type Tree = { children: Tree[]; label?: string };
  interface Row {
    id: number;
    tags: readonly string[];
  }

  it("may be any JSON, nothing, or of a type that says too little to tell", () => {
    expectTypeOf(task({ taskId: "t" }, async (): Promise<Tree> => ({ children: [] }))()).toEqualTypeOf<XComArg<Tree>>();
    expectTypeOf(task({ taskId: "t" }, async (): Promise<Row[]> => [])()).toEqualTypeOf<XComArg<Row[]>>();
    expectTypeOf(task({ taskId: "t" }, (): JsonValue => null)()).toEqualTypeOf<XComArg<JsonValue>>();
    task({ taskId: "t" }, async () => {});
    task({ taskId: "t" }, (): unknown => 1);
    task({ taskId: "t" }, (): Record<string, unknown> => ({}));
    task({ taskId: "t" }, (): [string, number][] => [["a", 1]]);
    task({ taskId: "t" }, () => {
      throw new Error("never returns");
    });
  });

  it("must be able to travel", () => {
    class Account {
      readonly balance = 1;
      total() {
        return this.balance;
      }
    }
    // @ts-expect-error a Date
    task({ taskId: "t" }, () => new Date());
    // @ts-expect-error a Date inside
    task({ taskId: "t" }, async () => ({ rows: [{ at: new Date() }] }));
    // @ts-expect-error a Map
    task({ taskId: "t" }, async () => new Map([["a", 1]]));
    // @ts-expect-error a Set
    task({ taskId: "t" }, () => new Set([1]));
    // @ts-expect-error a function
    task({ taskId: "t" }, () => () => 1);
    // @ts-expect-error an instance of a class
    task({ taskId: "t" }, () => new Account());
    // @ts-expect-error binary data
    task({ taskId: "t" }, () => new Uint8Array(3));
    // @ts-expect-error a bigint
    task({ taskId: "t" }, () => 1n);
    // @ts-expect-error a Date as a sensor's value
    sensor({ taskId: "t" }, () => ({ done: true, value: new Date() }));
    // @ts-expect-error a Map as a condition
    shortCircuit({ taskId: "t" }, () => new Map());
  });
});

describe("a task's arguments", () => {
  it("may have defaults, and are optional then", () => {
    const add = task({ taskId: "t" }, (_ctx, path: string, n: number = 3) => path.length + n);
    expectTypeOf(add("x")).toEqualTypeOf<XComArg<number>>();
    add("x", 4);
    add("x", add("y"));
    add.expand(["x"]);
    // @ts-expect-error a text is no number
    add("x", "y");
    // @ts-expect-error path has no default
    add();
  });

  it("take their types from their defaults", () => {
    const add = task({ taskId: "t" }, async (ctx, path: string, n = 3, label = "x", list = [1], named = { deep: true }) => {
      expectTypeOf(ctx.ti.tryNumber).toEqualTypeOf<number>();
      expectTypeOf(n).toEqualTypeOf<number>();
      expectTypeOf(label).toEqualTypeOf<string>();
      expectTypeOf(list).toEqualTypeOf<number[]>();
      expectTypeOf(named).toEqualTypeOf<{ deep: boolean }>();
      return path.length + n;
    });
    expectTypeOf(add("x")).toEqualTypeOf<XComArg<number>>();
    add("x", add("y"), "z", [2], { deep: false });
    add.expand(["x"]);
    // @ts-expect-error a text is no number
    add("x", "y");
    sensor({ taskId: "t" }, (_ctx, n = 3) => n > 2)(4);
    shortCircuit({ taskId: "t" }, (_ctx, n = 3) => n > 2)(4);
    branch({ taskId: "t" }, (_ctx, n = 3) => (n > 2 ? "a" : "b"))(4);
    dag({ dagId: "d" }, (d) => {
      d.task({ taskId: "t" }, (_ctx, n = 3) => n + 1)(4);
      d.sensor({ taskId: "t" }, (_ctx, n = 3) => n > 2)(4);
    });
    // @ts-expect-error without a type and a default, nothing says what it is
    task({ taskId: "t" }, (_ctx, x) => x.length);
  });
});

describe("params that are written as a constant", () => {
  const params = { path: "in.csv", limit: param(5, { schema: { type: "integer" } }), day: param<string>(undefined), list: [1] };
  type Ctx = TaskContext<ParamValues<typeof params>>;

  it("are known to tasks that name their type", () => {
    dag({ dagId: "d", params }, () => {
      task({ taskId: "t" }, (ctx: Ctx) => {
        expectTypeOf(ctx.params.path).toEqualTypeOf<string>();
        expectTypeOf(ctx.params.limit).toEqualTypeOf<number>();
        expectTypeOf(ctx.params.day).toEqualTypeOf<string>();
        expectTypeOf(ctx.params.list).toEqualTypeOf<number[]>();
      });
      // @ts-expect-error there is no such param
      task({ taskId: "t" }, (ctx: Ctx) => ctx.params.typo);
      // @ts-expect-error of another type
      task({ taskId: "t" }, (ctx: Ctx): number => ctx.params.path);
      sensor({ taskId: "t" }, (ctx: Ctx) => ctx.params.limit > 3);
    });
  });

  it("are known to tasks made by what the DAG's body is given, without annotations", () => {
    const literal = { path: "in.csv", limit: param(5, { schema: { type: "integer" } }), day: param<string>(undefined) };
    dag({ dagId: "d", params: literal }, ({ task }) => {
      expectTypeOf(task({ taskId: "t" }, (ctx) => ctx.params.limit)()).toEqualTypeOf<XComArg<number>>();
    });
    dag({ dagId: "d", params: { path: "in.csv", limit: 5, day: param<string>(undefined) } }, ({ task, sensor }) => {
      const read = task({ taskId: "t" }, (ctx, prefix: string) => {
        expectTypeOf(ctx.params.path).toEqualTypeOf<string>();
        expectTypeOf(ctx.params.day).toEqualTypeOf<string>();
        expectTypeOf(ctx.ti.tryNumber).toEqualTypeOf<number>();
        return prefix.length + ctx.params.limit;
      });
      expectTypeOf(read("a")).toEqualTypeOf<XComArg<number>>();
      // @ts-expect-error a number is no text
      read(3);
      // @ts-expect-error there is no such param
      task({ taskId: "t" }, (ctx) => ctx.params.typo);
      // @ts-expect-error there is no such param
      sensor({ taskId: "t" }, (ctx) => ctx.params.typo === 1);
      // @ts-expect-error of another type
      task({ taskId: "t" }, (ctx): number => ctx.params.path);
      // @ts-expect-error a Date cannot travel
      task({ taskId: "t" }, () => new Date());
    });
  });

  it("are anything for a DAG that writes none", () => {
    dag({ dagId: "d" }, ({ task }) => {
      task({ taskId: "t" }, (ctx) => ctx.params.anything ?? null);
    });
  });
});
