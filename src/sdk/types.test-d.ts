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
  template,
  type XComArg,
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
    expectTypeOf(sensor<[], string>({ taskId: "w", mode: "reschedule" }, () => ({ done: true, value: "x" }))()).toEqualTypeOf<
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
