import { describe, expect, it, vi } from "vitest";
import { define, failureOf, returnValue, runOneTask } from "../../../tests/support/run-one-task.ts";
import { outcomeSchema } from "../../contracts/index.ts";
import { BaseOperator, FailError, SkipError, type TaskContext, type TaskOptions, task } from "../../sdk/index.ts";

const defineTask = (fn: (ctx: TaskContext) => unknown, options: Partial<TaskOptions> = {}) =>
  define(() => void task({ taskId: "t", ...options }, fn)());

describe("runTask", () => {
  it("returns success with the returned value as an XCom", async () => {
    const { outcome } = await runOneTask(defineTask(async () => ({ rows: 3, gone: undefined })));
    expect(outcomeSchema.parse(outcome)).toMatchObject({ state: "success", skipTasks: [] });
    expect(returnValue(outcome)).toEqual({ rows: 3 });
  });

  it("keeps no XCom for undefined, nor with doXcomPush: false", async () => {
    expect((await runOneTask(defineTask(() => undefined))).outcome).toMatchObject({ state: "success", xcoms: [] });
    expect((await runOneTask(defineTask(() => 1, { doXcomPush: false }))).outcome).toMatchObject({ xcoms: [] });
  });

  it("pushes each property as its own XCom with multipleOutputs", async () => {
    const { outcome } = await runOneTask(defineTask(() => ({ a: 1, b: "x" }), { multipleOutputs: true }));
    expect(outcome).toMatchObject({
      xcoms: [
        { key: "return_value", value: { a: 1, b: "x" } },
        { key: "a", value: 1 },
        { key: "b", value: "x" },
      ],
    });
  });

  it("resolves arguments from the inputs that came along, and only asks for the others", async () => {
    const definition = define(() => {
      const one = task({ taskId: "one" }, () => 1);
      const two = task({ taskId: "two" }, () => 2);
      const sum = task({ taskId: "sum" }, (_ctx, parts: { a: number; rest: number[] }, name: string) => [parts, name]);
      sum({ a: one(), rest: [two(), 5] }, "{{ params.name }}");
    });
    const { outcome, asked } = await runOneTask(definition, {
      taskId: "sum",
      context: { inputs: [{ taskId: "one", key: "return_value", mapIndex: -1, value: 10 }] },
      xcoms: { "two.return_value": 20 },
    });
    expect(returnValue(outcome)).toEqual([{ a: 10, rest: [20, 5] }, "Ada"]);
    expect(asked.map((each) => each.method)).toEqual(["getXcom"]);
  });

  it("gives null for the XCom of a task that pushed none", async () => {
    const definition = define(() => {
      const sum = task({ taskId: "sum" }, (_ctx, value: number) => ({ value }));
      sum(task({ taskId: "one" }, () => 1)());
    });
    expect(returnValue((await runOneTask(definition, { taskId: "sum" })).outcome)).toEqual({ value: null });
  });

  it.each([
    [new SkipError("no data today"), { state: "skipped", reason: "no data today" }],
    [new FailError("bad file"), { state: "failed", retryable: false, error: { name: "FailError", message: "bad file" } }],
    [new TypeError("oops"), { state: "failed", retryable: true, error: { name: "TypeError", message: "oops" } }],
    ["a string", { state: "failed", retryable: true, error: { message: "a string" } }],
  ])("maps what the task throws to its outcome: %s", async (thrown, expected) => {
    const { outcome } = await runOneTask(
      defineTask(() => {
        throw thrown;
      }),
    );
    expect(outcome).toMatchObject(expected);
    expect(outcomeSchema.safeParse(outcome).success).toBe(true);
  });

  it("ends also if no context can be made for its callbacks: whoever waits for their end is not left waiting", async () => {
    const onFailure = vi.fn();
    const { outcome, runCallbacks, logs } = await runOneTask(
      defineTask(() => 1, { onFailure }),
      { dagRun: { logicalDate: "infinity" } },
    );
    expect(outcome).toMatchObject({ state: "failed", error: { message: "Invalid time value" } });
    await runCallbacks();
    expect(onFailure).not.toHaveBeenCalled();
    expect(logs.at(-1)).toMatchObject({ level: "error", message: expect.stringContaining("onFailure is not called") });
  });

  it("keeps the causes of an error in its stack", async () => {
    const { outcome } = await runOneTask(
      defineTask(() => {
        throw new Error("cannot load", { cause: new Error("disk full") });
      }),
    );
    expect(failureOf(outcome).error.stack).toMatch(/cannot load[\s\S]*Caused by: Error: disk full/);
  });

  it.each([
    [{ rows: [0, { amount: Number.NaN }] }, /return value at \.rows\[1\]\.amount is NaN/],
    [10n, /BigInt 10n/],
    [new Date(0), /toISOString/],
    [new Map(), /Object\.fromEntries/],
    [{ at: [new URL("http://x")] }, /at \.at\[0\] is an instance of URL/],
    ["a\u0000b", /NUL/],
    ["\uD800", /surrogate/],
    [() => 1, /a function/],
    [[undefined], /\[0\] is undefined/],
    ["x".repeat(2_000), /2002 bytes of JSON; an XCom may have 1000\..*raise \[xcom\] max_size_bytes/],
  ])("fails without retry a task whose result is no XCom: %s", async (value, message) => {
    const { outcome } = await runOneTask(
      defineTask(() => value),
      { context: { xcomMaxBytes: 1_000 } },
    );
    expect(failureOf(outcome)).toMatchObject({ retryable: false, error: { name: "XComValueError" } });
    expect(failureOf(outcome).error.message).toMatch(message);
  });

  it("refuses a cyclic result by its path", async () => {
    const node: Record<string, unknown> = {};
    node.child = { parent: node };
    const { outcome } = await runOneTask(defineTask(() => node));
    expect(failureOf(outcome).error.message).toContain("at .child.parent");
  });

  it("ends a task that takes too long as a retryable failure, aborts its signal, and lets it clean up", async () => {
    let cleaned = false;
    const definition = defineTask(async (ctx) => {
      await ctx.sleep("10s").catch(() => {});
      cleaned = ctx.signal.aborted;
      return "late";
    });
    const { outcome } = await runOneTask(definition, { context: { executionTimeoutSec: 0.02 } });
    expect(failureOf(outcome)).toMatchObject({ retryable: true, error: { name: "TaskTimeoutError" } });
    expect(cleaned).toBe(true);
  });

  it("ends even when the function ignores the signal", async () => {
    const { outcome } = await runOneTask(
      defineTask(() => new Promise(() => {})),
      { context: { executionTimeoutSec: 0.02 } },
    );
    expect(failureOf(outcome).error.name).toBe("TaskTimeoutError");
  });

  it("fails a task that is told to stop, with its own error if it cleans up in time", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 10);
    const ignoring = await runOneTask(
      defineTask(() => new Promise(() => {})),
      { input: { signal: stop.signal } },
    );
    expect(failureOf(ignoring.outcome).error.name).toBe("TaskAbortedError");
    const heeding = await runOneTask(
      defineTask(async (ctx) => {
        await ctx.sleep("10s").catch(() => {
          throw new Error("closed the file");
        });
      }),
      { input: { signal: stop.signal } },
    );
    expect(failureOf(heeding.outcome).error.message).toBe("closed the file");
  });

  it("says which DAG lacks a task that its version does not have", async () => {
    const { outcome } = await runOneTask(
      defineTask(() => 1),
      { taskId: "gone" },
    );
    expect(failureOf(outcome).error.message).toContain('DAG d has no task "gone"');
  });

  it("leaves the node in the DAG as written, so that a warm runner renders it anew each try", async () => {
    class Greet extends BaseOperator<{ name: string }, string> {
      static override readonly templateFields = ["name"];
      async execute() {
        return this.options.name;
      }
    }
    const definition = define(() => void new Greet({ taskId: "greet", name: "{{ run_id }}" }));
    expect(returnValue((await runOneTask(definition, { dagRun: { runId: "one" } })).outcome)).toBe("one");
    expect(returnValue((await runOneTask(definition, { dagRun: { runId: "two" } })).outcome)).toBe("two");
  });

  it("gives the context of the run: params under conf, dates, pushes, variables, connections", async () => {
    const definition = defineTask(async (ctx) => {
      await ctx.xcom.push("rows", [1]);
      return {
        params: ctx.params,
        ds: ctx.ds,
        ts: ctx.ts,
        logicalDate: ctx.logicalDate?.toISOString(),
        plain: await ctx.variable("plain"),
        json: await ctx.variable<{ a: number }>("json", { json: true }),
        absent: await ctx.variable("absent", { default: 7 }),
        host: (await ctx.connection("db")).host,
        pulled: await ctx.ti.xcomPull(["a", "b"]),
      };
    });
    const { outcome, asked } = await runOneTask(definition, {
      dagRun: { conf: { limit: 9 } },
      variables: { plain: "p", json: '{"a":1}' },
      connections: {
        db: {
          connId: "db",
          connType: "postgres",
          description: null,
          host: "h",
          schema: null,
          login: null,
          password: null,
          port: null,
          extra: {},
        },
      },
      xcoms: { "a.return_value": 1 },
    });
    expect(returnValue(outcome)).toEqual({
      params: { name: "Ada", limit: 9, nested: { key: "v" } },
      ds: "2024-01-31",
      ts: "2024-01-31T00:00:00+00:00",
      logicalDate: "2024-01-31T00:00:00.000Z",
      plain: "p",
      json: { a: 1 },
      absent: 7,
      host: "h",
      pulled: [1, null],
    });
    expect(asked).toContainEqual({ method: "setXcom", params: { key: "rows", value: [1] } });
  });

  it.each([[{ taskIds: "a" }], [undefined], [["a", 1]]])("xcom.pull says what it takes, and what it got: %j", async (wrong) => {
    const definition = defineTask((ctx) => ctx.xcom.pull(wrong as unknown as string));
    const { outcome } = await runOneTask(definition);
    expect(outcome).toMatchObject({
      state: "failed",
      error: {
        message: expect.stringMatching(
          /^xcom\.pull takes a task id or a list .* it got (\{ taskIds: 'a' \}|undefined|\[ 'a', 1 \])$/,
        ),
      },
    });
  });

  it("never fails for what it logs", async () => {
    const cyclic: Record<string, unknown> = { n: 1 };
    cyclic.self = cyclic;
    const definition = defineTask((ctx) => ctx.logger.info("odd", { big: 10n, cyclic, error: new Error("why"), fine: [1] }));
    const { outcome, logs } = await runOneTask(definition);
    expect(outcome.state).toBe("success");
    expect(JSON.parse(JSON.stringify(logs[0]))).toMatchObject({
      message: "odd",
      facts: { big: "10n", cyclic: expect.stringContaining("Circular"), error: expect.stringContaining("why"), fine: [1] },
    });
  });

  it("shows a long task's rendered fields while it runs", async () => {
    const definition = define(() => {
      task({ taskId: "t" }, (ctx, _path: string) => ctx.sleep("40ms"))("/data/{{ ds }}");
    });
    const { outcome, asked } = await runOneTask(definition, { input: { showFieldsAfterMs: 1 } });
    const fields = { args: ["/data/2024-01-31"] };
    expect(asked).toEqual([{ method: "putRenderedFields", params: { fields } }]);
    expect(outcome).toMatchObject({ state: "success", renderedFields: fields });
  });

  it("cuts rendered fields for display, and keeps them storable", async () => {
    const definition = define(() => void task({ taskId: "t" }, (_ctx, ..._args: unknown[]) => 1)("{{ params.long }}"));
    const long = await runOneTask(definition, { dagRun: { conf: { long: "x".repeat(10_000) } } });
    expect(JSON.stringify(long.outcome).length).toBeLessThan(4_500);
    const nul = await runOneTask(definition, { dagRun: { conf: { long: "a\u0000b" } } });
    expect(nul.outcome).toMatchObject({ renderedFields: { args: ["a\\u0000b"] } });
  });
});

describe("callbacks", () => {
  const callbacks = () => ({
    onExecute: vi.fn(),
    onSuccess: vi.fn(),
    onFailure: vi.fn(),
    onRetry: vi.fn(),
    onSkipped: vi.fn(),
  });
  const called = (each: ReturnType<typeof callbacks>) =>
    Object.entries(each).flatMap(([name, callback]) => (callback.mock.calls.length > 0 ? [name] : []));

  it.each([
    ["success", () => 1, false, ["onExecute", "onSuccess"]],
    ["skip", () => Promise.reject(new SkipError()), true, ["onExecute", "onSkipped"]],
    ["failure to be retried", () => Promise.reject(new Error("x")), true, ["onExecute", "onRetry"]],
    ["last failure", () => Promise.reject(new Error("x")), false, ["onExecute", "onFailure"]],
    ["failure without retry", () => Promise.reject(new FailError()), true, ["onExecute", "onFailure"]],
  ])("run by the ending: %s", async (_name, fn, shouldRetry, expected) => {
    const given = callbacks();
    const { runCallbacks } = await runOneTask(defineTask(fn, given), { context: { shouldRetry } });
    await runCallbacks();
    expect(called(given)).toEqual(expected);
  });

  it("run only after the outcome, in order, and one that fails is logged and changes nothing", async () => {
    const order: string[] = [];
    const definition = defineTask(() => Promise.reject(new Error("no rows")), {
      onFailure: [
        () => {
          throw new Error("mail server is down");
        },
        (ctx) => void order.push(`${ctx.error?.message} in ${ctx.ti.taskId}`),
      ],
    });
    const { outcome, runCallbacks, logs } = await runOneTask(definition);
    expect(order).toEqual([]);
    await runCallbacks();
    expect(order).toEqual(["no rows in t"]);
    expect(outcome.state).toBe("failed");
    expect(logs.map((log) => log.message).join("\n")).toContain("the onFailure callback failed: Error: mail server is down");
  });
});
