import { expect, test } from "vitest";
import {
  BaseTrigger,
  TaskFailedEvent,
  TaskSkippedEvent,
  TaskSuccessEvent,
  type TriggerContext,
  TriggerEvent,
} from "../../sdk/index.ts";
import { runUserTrigger } from "./run-user-trigger.ts";
import { createTriggerContext } from "./trigger-context.ts";

const task = { dagId: "d", runId: "r", taskId: "t", mapIndex: -1, tryNumber: 1 };

function run(
  work: (ctx: TriggerContext) => unknown,
  stop = new AbortController(),
  onCleanup: () => Promise<void> = async () => {},
) {
  class Given extends BaseTrigger {
    run(ctx: TriggerContext) {
      return work(ctx) as Promise<TriggerEvent>;
    }
    override cleanup() {
      return onCleanup();
    }
  }
  const ctx = createTriggerContext({ task, signal: stop.signal, call: async () => null as never, log: () => {} });
  return runUserTrigger(new Given({}), ctx, 50);
}

test.each([
  [
    "a yielded event",
    async function* () {
      yield new TriggerEvent({ a: 1 });
      yield new TriggerEvent("never seen");
    },
    { kind: "event", payload: { a: 1 } },
  ],
  ["a returned event", async () => new TriggerEvent(2), { kind: "event", payload: 2 }],
  [
    "a task's success",
    async () => new TaskSuccessEvent(3, { k: 4 }),
    {
      kind: "task",
      state: "success",
      xcoms: [
        { key: "k", value: 4 },
        { key: "return_value", value: 3 },
      ],
    },
  ],
  ["a task's failure", async () => new TaskFailedEvent("why"), { kind: "task", state: "failed", reason: "why" }],
  ["a task's skip", async () => new TaskSkippedEvent(), { kind: "task", state: "skipped" }],
  [
    "an error",
    async () => {
      throw new TypeError("broken");
    },
    { kind: "failed", message: "TypeError: broken" },
  ],
  ["no event", async function* () {}, { kind: "failed", message: "Error: the trigger ended without an event" }],
  ["something else", async () => 5, { kind: "failed", message: "the trigger gave 5 where a TriggerEvent is expected" }],
  ["an event that is no JSON", async () => new TriggerEvent({ at: new Date() } as never), { kind: "failed" }],
])("%s", async (_name, work, end) => {
  expect(await run(work)).toMatchObject(end);
});

test("an abort ends it without an end, runs the generator's finally and the cleanup, and waits for neither for ever", async () => {
  const stop = new AbortController();
  const done: string[] = [];
  const ended = run(
    async function* (ctx) {
      try {
        await ctx.sleep("1h");
        yield new TriggerEvent();
      } finally {
        done.push("finally");
      }
    },
    stop,
    async () => void done.push("cleanup"),
  );
  stop.abort();
  expect(await ended).toBeNull();
  expect(done.sort()).toEqual(["cleanup", "finally"]);
  const deaf = new AbortController();
  const left = run(
    () => new Promise(() => {}),
    deaf,
    () => new Promise(() => {}),
  );
  deaf.abort();
  expect(await left).toBeNull();
});
