import { describe, expectTypeOf, it } from "vitest";
import { BashOperator, branch, EmptyOperator, sensor, shortCircuit } from "../operators/index.ts";
import {
  BaseNotifier,
  BaseOperator,
  type Connection,
  chain,
  crons,
  dag,
  events,
  type JsonObject,
  type NotifierContext,
  type TaskContext,
  type TaskInstanceFacts,
  Timetable,
  task,
  taskGroup,
  template,
  type XComArg,
  zip,
} from "./index.ts";

type Customer = { id: number; name: string; tags: string[] };
const extract = task({ taskId: "extract" }, async (_ctx, _path: string): Promise<Customer[]> => []);
const count = task(
  { taskId: "count" },
  (_ctx, rows: Customer[], least: number, label?: string) => rows.length + least + (label?.length ?? 0),
);

describe("task()", () => {
  it("returns the awaited result's XComArg", () => {
    expectTypeOf(extract("x")).toEqualTypeOf<XComArg<Customer[]>>();
    expectTypeOf(count([], 1)).toEqualTypeOf<XComArg<number>>();
    expectTypeOf(extract.override({ retries: 2 })("x")).toEqualTypeOf<XComArg<Customer[]>>();
  });

  it("takes values, results, templates, and objects and arrays of them", () => {
    count(extract("{{ params.path }}"), 1);
    count([{ id: count([], 1), name: "{{ ds }}", tags: [] }], template<number>("{{ params.n }}"), "label");
    const total = task({ taskId: "total" }, (_ctx, _input: { parts: number[]; note: string | null }) => 0);
    total({ parts: [count([], 1), 2], note: "x" });
  });

  it("refuses wrong arguments", () => {
    // @ts-expect-error a number is no path
    extract(3);
    // @ts-expect-error an argument is missing
    count(extract("x"));
    // @ts-expect-error a plain string is no number, template or not
    count(extract("x"), "{{ params.n }}");
    // @ts-expect-error the result of another type
    extract(count([], 1));
    // @ts-expect-error a template of another type
    extract(template<number>("{{ 1 }}"));
    // @ts-expect-error a property of another type
    count([{ id: "x", name: "y", tags: [] }], 1);
    // @ts-expect-error one argument too many
    extract("x", 1);
  });

  it("gives the function its context", () => {
    task({ taskId: "t" }, async (ctx) => {
      expectTypeOf(ctx).toEqualTypeOf<TaskContext>();
      expectTypeOf(ctx.params).toEqualTypeOf<JsonObject>();
      expectTypeOf(ctx.logicalDate).toEqualTypeOf<Date | null>();
      expectTypeOf(await ctx.connection("db")).toEqualTypeOf<Connection>();
      expectTypeOf(await ctx.variable("k")).toEqualTypeOf<string>();
      expectTypeOf(await ctx.variable("k", { default: 1 })).toEqualTypeOf<string | number>();
      expectTypeOf(await ctx.variable<{ a: number }>("k", { json: true })).toEqualTypeOf<{ a: number }>();
      expectTypeOf(await ctx.ti.xcomPull<number>(["a", "b"])).toEqualTypeOf<(number | null)[]>();
    });
  });
});

describe("mapping", () => {
  const rows = extract("x");
  const numbers = task({ taskId: "numbers" }, async () => [1, 2, 3])();
  const ages = task({ taskId: "ages" }, async (): Promise<Record<string, number>> => ({}))();
  const add = task({ taskId: "add" }, (_ctx, left: number, right: number, label?: string) => `${left + right}${label ?? ""}`);
  const load = task({ taskId: "load" }, (_ctx, { path, limit }: { path: string; limit?: number }) => path.length + (limit ?? 0));

  it("takes a list for each argument, and returns a list", () => {
    expectTypeOf(extract.expand(["a", "{{ ds }}"])).toEqualTypeOf<XComArg<Customer[][]>>();
    expectTypeOf(add.expand(numbers, [1, template<number>("{{ params.n }}")])).toEqualTypeOf<XComArg<string[]>>();
    add.expand([1], numbers, ["label"]);
    expectTypeOf(add.partial(1).expand(numbers)).toEqualTypeOf<XComArg<string[]>>();
    add.partial(1, 2).expand(["a"]);
    task({ taskId: "p" }, (_ctx, [_name, age]: [string, number]) => age).expand(ages);
    // @ts-expect-error a list of another type
    add.expand(["a"], numbers);
    // @ts-expect-error the result of another type
    add.expand(rows, numbers);
    // @ts-expect-error an argument is missing
    add.expand(numbers);
    // @ts-expect-error no list
    extract.expand("a");
    // @ts-expect-error an object is only for pairs
    extract.expand({ a: 1 });
    // @ts-expect-error the wrong type for a fixed argument
    add.partial("1");
    // @ts-expect-error already fixed
    add.partial(1).expand(numbers, numbers, ["a"], ["b"]);
  });

  it("takes arguments by name", () => {
    expectTypeOf(load.expand({ path: ["a"], limit: numbers })).toEqualTypeOf<XComArg<number[]>>();
    load.partial({ limit: 3 }).expand({ path: ["a"] });
    load.expandKwargs([{ path: "a" }, { path: "b", limit: 2 }]);
    load.expandKwargs(task({ taskId: "k" }, async () => [{ path: "a", limit: 1 }])());
    // @ts-expect-error path is missing
    load.expand({ limit: numbers });
    // @ts-expect-error of another type
    load.expand({ path: numbers });
    // @ts-expect-error unknown name
    load.partial({ other: 1 });
    // @ts-expect-error fixed already
    load.partial({ path: "a" }).expand({ path: ["a"] });
    // @ts-expect-error of another type
    load.expandKwargs([{ path: 1 }]);
    // @ts-expect-error a function with arguments by position has no names
    add.expandKwargs([{ left: 1 }]);
  });

  it("is typed through map, concat and zip", () => {
    expectTypeOf(numbers.map((n) => (n > 1 ? String(n) : undefined))).toEqualTypeOf<XComArg<string[]>>();
    expectTypeOf(ages.map(([name, age]) => name.length + age)).toEqualTypeOf<XComArg<number[]>>();
    expectTypeOf(numbers.concat(["a"])).toEqualTypeOf<XComArg<(number | string)[]>>();
    expectTypeOf(zip(numbers, ["a"])).toEqualTypeOf<XComArg<[number, string][]>>();
    // @ts-expect-error text is no list
    count([], 1).map((n: number) => n);
    // @ts-expect-error the element is a number
    numbers.map((text: string) => text);
  });

  it("is typed for operators", () => {
    const partial = BashOperator.partial({ taskId: "b", appendEnv: true });
    expectTypeOf(partial.expand({ bashCommand: ["a"], env: [{ A: "{{ ds }}" }] }).output).toEqualTypeOf<XComArg<string[]>>();
    partial.expandKwargs([{ bashCommand: "a" }, { bashCommand: "b", cwd: "/" }]);
    BashOperator.partial({ taskId: "b" }).expand({ bashCommand: task({ taskId: "c" }, async () => ["ls"])() });
    // @ts-expect-error a command is text
    partial.expand({ bashCommand: numbers });
    // @ts-expect-error the command is missing
    partial.expand({ cwd: ["/"] });
    // @ts-expect-error retries hold for all instances
    partial.expand({ bashCommand: ["a"], retries: [1] });
    // @ts-expect-error no id
    BashOperator.partial({ bashCommand: "a" });
  });

  it("gives a group's body its elements, and lists outside", () => {
    const group = taskGroup("g", (item: XComArg<number>) => add(item, 1)).expand(numbers);
    expectTypeOf(group.result).toEqualTypeOf<XComArg<string[]>>();
    expectTypeOf(taskGroup("h", () => add(1, 2)).result).toEqualTypeOf<XComArg<string>>();
    // @ts-expect-error a list of another type
    taskGroup("g", (item: XComArg<number>) => add(item, 1)).expand(["a"]);
  });
});

describe("options", () => {
  it("are checked", () => {
    // @ts-expect-error unknown option
    task({ taskId: "t", retires: 3 }, () => 1);
    // @ts-expect-error unknown trigger rule
    task({ taskId: "t", triggerRule: "some_success" }, () => 1);
    // @ts-expect-error a duration is not a number
    task({ taskId: "t", retryDelay: 300 }, () => 1);
    // @ts-expect-error no id
    dag({ schedule: "@daily" }, () => {});
    dag({ dagId: "d", schedule: { minutes: 5 } }, () => {});
  });
});

describe("operators", () => {
  it("take results and functions of the context in templated options, and only there", () => {
    class Load extends BaseOperator<{ table: string; limit: number }, number, "limit"> {
      async execute() {
        expectTypeOf(this.options.limit).toEqualTypeOf<number>();
        return this.options.limit;
      }
    }
    const load = new Load({ taskId: "l", table: "t", limit: count([], 1) });
    expectTypeOf(load.output).toEqualTypeOf<XComArg<number>>();
    new Load({ taskId: "l", table: "t", limit: async (ctx) => ctx.ti.tryNumber });
    // @ts-expect-error table is not templated
    new Load({ taskId: "l", table: count([], 1), limit: 1 });
    // @ts-expect-error the result of another type
    new Load({ taskId: "l", table: "t", limit: extract("x") });
    // @ts-expect-error an option is missing
    new Load({ taskId: "l", table: "t" });
  });

  it("link with before, after and chain, which take tasks and not functions", () => {
    const end = new EmptyOperator({ taskId: "end" });
    expectTypeOf(extract("x").before(end)).toEqualTypeOf<EmptyOperator>();
    chain(extract("x"), [end, new BashOperator({ taskId: "b", bashCommand: "true", env: { N: "{{ ds }}" } })], end);
    // @ts-expect-error the function was not called
    chain(extract, end);
    // @ts-expect-error the command is missing
    new BashOperator({ taskId: "b" });
  });

  it("have typed function forms", () => {
    const pick = branch({ taskId: "pick" }, (_ctx, rows: number) => (rows > 1 ? "a" : ["b", "c"]));
    pick(count([], 1));
    // @ts-expect-error a branch returns ids
    branch({ taskId: "pick" }, () => 3);
    expectTypeOf(shortCircuit({ taskId: "s" }, (_ctx, n: number) => n > 1)(2)).toEqualTypeOf<XComArg<boolean>>();
    expectTypeOf(sensor({ taskId: "w", mode: "reschedule" }, () => ({ done: true, value: "x" }))()).toEqualTypeOf<
      XComArg<string>
    >();
    // @ts-expect-error unknown mode
    sensor({ taskId: "w", mode: "sleep" }, () => true);
  });
});

describe("schedules", () => {
  it("takes several crons, events and a class of one's own", () => {
    class Tides extends Timetable {
      nextRun(...[last, restriction]: Parameters<Timetable["nextRun"]>) {
        expectTypeOf(last?.runAfter).toEqualTypeOf<Date | undefined>();
        expectTypeOf(restriction.catchup).toEqualTypeOf<boolean>();
        return restriction.earliest;
      }
    }
    dag({ dagId: "d", schedule: new Tides() }, () => {});
    dag({ dagId: "d", schedule: crons(["@daily", "0 6 * * 1"], { timezone: "UTC", interval: "1h" }) }, () => {});
    dag({ dagId: "d", schedule: events(["2026-01-01", new Date()], { restrictToEvents: true }) }, () => {});
    // @ts-expect-error data intervals are for a single cron
    crons(["@daily"], { intervals: true });
    // @ts-expect-error one expression is no list
    crons("@daily");
    // @ts-expect-error a number is no instant
    events([0]);
    // @ts-expect-error a class without nextRun is no timetable
    class _Empty extends Timetable {}
  });
});

describe("notifiers", () => {
  class Tell extends BaseNotifier<{ text: string }> {
    async notify(ctx: NotifierContext) {
      expectTypeOf(ctx.ti).toEqualTypeOf<TaskInstanceFacts | undefined>();
      expectTypeOf(this.options.text).toEqualTypeOf<string>();
    }
  }

  it("stand wherever a callback does, alone or in a list with callbacks", () => {
    const tell = new Tell({ text: "x" });
    task({ taskId: "t", onFailure: tell, onRetry: [tell, (ctx) => ctx.ti.tryNumber] }, () => 1);
    dag({ dagId: "d", onFailure: [tell, (ctx) => ctx.reason], defaultArgs: { onSuccess: tell, email: ["a@b.c"] } }, () => {});
    // @ts-expect-error the class is no notifier; one is made by new
    task({ taskId: "t", onFailure: Tell }, () => 1);
    // @ts-expect-error an option is missing
    new Tell({});
  });
});
