import { describe, expect, it } from "vitest";
import { dagRunFacts, define, fakeCaller, runOneTask } from "../../../tests/support/run-one-task.ts";
import { createMasker } from "../../platform/index.ts";
import { BaseNotifier, type DagCallbackContext, dag, type NotifierContext, type TaskContext, task } from "../../sdk/index.ts";
import { runCallback } from "./run-callback.ts";
import type { LogRecord } from "./runner-caller.ts";

const told: { text: string; ctx: NotifierContext }[] = [];

class Tell extends BaseNotifier<{ text: string; plain?: string }> {
  static override readonly templateFields = ["text"];
  async notify(ctx: NotifierContext) {
    told.push({ text: `${this.options.text} ${this.options.plain ?? ""}`.trim(), ctx });
  }
}

class Broken extends BaseNotifier {
  async notify() {
    throw new Error("out of paper");
  }
}

function texts(): string[] {
  return told.splice(0).map(({ text }) => text);
}

describe("notifiers of a task", () => {
  it("run in order with callbacks, rendered anew for each try, though one before them failed", async () => {
    const tell = new Tell({ text: "{{ ti.task_id }} {{ try_number }}: {{ reason }}", plain: "{{ ds }}" });
    const bare = () => {
      throw new Error("sync");
    };
    const calls: string[] = [];
    const onFailure = [new Broken({}), bare, tell, (ctx: DagCallbackContext) => calls.push(ctx.reason)];
    const definition = define(() => task({ taskId: "t", onFailure }, () => Promise.reject(new Error("no rows")))());
    for (const tryNumber of [1, 2]) {
      const ti = { id: "0193f7a0-0000-7000-8000-000000000000", mapIndex: -1, tryNumber };
      const { runCallbacks, logs, outcome } = await runOneTask(definition, { input: { ti } });
      await runCallbacks();
      expect(outcome.state).toBe("failed");
      expect(texts()).toEqual([`t ${tryNumber}: Error: no rows {{ ds }}`]);
      const errors = logs.filter(({ message }) => /callback|notifier|Broken/.test(message)).map(({ message }) => message);
      expect(errors).toEqual(["Broken of onFailure failed: Error: out of paper", "the onFailure callback failed: Error: sync"]);
    }
    expect(calls).toHaveLength(2);
  });

  it("tell no secret that the task has read, but may use it", async () => {
    const onFailure = new Tell({ text: "{{ reason }} with {{ conn.wh.password }}" });
    const read = async (ctx: TaskContext) => {
      const { password } = await ctx.connection("wh");
      await ctx.maskSecret({ any: ["told-later"] });
      throw new Error(`${password} told-later`);
    };
    const definition = define(() => task({ taskId: "t", onFailure }, read)());
    const none = { description: null, host: null, schema: null, login: null, port: null, extra: {} };
    const wh = { connId: "wh", connType: "http", ...none, password: "hunter2!" };
    const { runCallbacks, asked } = await runOneTask(definition, { connections: { wh } });
    await runCallbacks();
    expect(String(told[0]?.ctx.error?.stack)).toContain("Error: *** ***");
    expect(texts()).toEqual(["Error: *** *** with hunter2!"]);
    expect(asked.map(({ method }) => method)).toContain("maskSecret");
  });

  it("serve every callback, and a misspelled template fails that notifier alone", async () => {
    const on = (name: string) => [new Tell({ text: "{{ ti.tsk_id }}" }), new Tell({ text: name })];
    const definition = define(() => task({ taskId: "t", onExecute: on("execute"), onSuccess: on("success") }, () => 1)());
    const { runCallbacks, logs } = await runOneTask(definition);
    await runCallbacks();
    expect(texts()).toEqual(["execute", "success"]);
    expect(logs.filter(({ message }) => message.includes("ti.tsk_id"))).toHaveLength(2);
  });
});

describe("notifiers of a DAG", () => {
  it("are rendered without a task instance", async () => {
    const onFailure = [
      new Tell({ text: "{{ dag.dag_id }} {{ run_id }} {{ params.name }}: {{ reason }}" }),
      new Tell({ text: "{{ ti.task_id }}" }),
    ];
    const definition = dag({ dagId: "d", params: { name: "Ada" }, onFailure }, () => {});
    const logs: LogRecord[] = [];
    const ran = await runCallback({
      dag: definition,
      request: { kind: "dag", callback: "onFailure", dagRun: dagRunFacts, reason: "failed" },
      caller: fakeCaller().caller,
      masker: createMasker(),
      log: (record) => logs.push(record),
      signal: new AbortController().signal,
      now: () => 0,
    });
    expect(ran).toEqual({ ran: 2, failed: 1 });
    expect(texts()).toEqual(["d manual__1 Ada: failed"]);
    expect(logs[0]?.message).toContain("Tell of DAG onFailure failed");
  });
});

describe("what may stand as a callback", () => {
  it.each([
    [Tell, "create one with new"],
    [{ notify() {} }, "a function or a notifier"],
    ["mail", "a function or a notifier"],
  ])("refuses %s", (onFailure, why) => {
    expect(() => define(() => task({ taskId: "t", onFailure: onFailure as never }, () => 1)())).toThrow(why);
    expect(() => dag({ dagId: "d", onSuccess: [onFailure as never] }, () => {})).toThrow(why);
  });
});

describe("the option email", () => {
  const emailOf = (options: object, defaultArgs = {}) => {
    const definition = dag({ dagId: "d", defaultArgs }, () => task({ taskId: "t", ...options }, () => 1)());
    const settings = definition.facts.nodes.get("t")?.settings;
    return [settings?.email, settings?.emailOnFailure, settings?.emailOnRetry];
  };

  it("is read as Airflow reads it, from the task or from defaultArgs", () => {
    expect(emailOf({})).toEqual([[], null, null]);
    expect(emailOf({ email: "a@b.c, d@e.f;a@b.c" })).toEqual([["a@b.c", "d@e.f"], null, null]);
    expect(emailOf({ emailOnRetry: false }, { email: ["a@b.c"], emailOnFailure: true })).toEqual([["a@b.c"], true, false]);
    expect(emailOf({ email: [] }, { email: "a@b.c" })).toEqual([[], null, null]);
  });

  it.each(["nobody", "a@b.c\r\nBcc: d@e.f", "Ada <a@b.c>", "a@b@c", 5])("refuses %j", (email) => {
    expect(() => emailOf({ email })).toThrow(/email is/);
    expect(() => emailOf({ emailOnRetry: "yes" })).toThrow("true or false");
  });
});
