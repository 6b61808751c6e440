/** The runner keeps the API's limits itself, and says so in the author's words. */
import { expect, test } from "vitest";
import { define, runOneTask } from "../../../tests/support/run-one-task.ts";
import { type Outcome, outcomeSchema } from "../../contracts/index.ts";
import { SkipError, type TaskContext, type TaskOptions, task } from "../../sdk/index.ts";

const run = async (fn: (ctx: TaskContext) => unknown, options: Partial<TaskOptions> = {}) => {
  const { outcome } = await runOneTask(define(() => void task({ taskId: "t", ...options }, fn)()));
  // Whatever the task did, the API takes it as it is.
  expect(outcomeSchema.parse(outcome)).toEqual(outcome);
  return outcome;
};

const messageOf = (outcome: Outcome) => (outcome.state === "failed" ? outcome.error.message : outcome.state);

test.each<[string, object, RegExp]>([
  ["an empty key", { "": 1 }, /task t has multipleOutputs, .* a key must not be empty/],
  [
    "a key of 600 characters",
    { ["k".repeat(600)]: 1 },
    /task t has multipleOutputs, .* may have 512 characters, and "k+…" has 600/,
  ],
  [
    "999 keys",
    Object.fromEntries(Array.from({ length: 999 }, (_, at) => [`k${at}`, 1])),
    /its result has 999 keys; 998 are allowed/,
  ],
])("a result with %s under multipleOutputs fails the task without a retry, and says which and why", async (_, result, why) => {
  const outcome = await run(() => result, { multipleOutputs: true });
  expect(outcome).toMatchObject({ state: "failed", retryable: false, error: { name: "XComValueError" } });
  expect(messageOf(outcome)).toMatch(why);
});

test("xcom.push refuses a key that is no key, and names it", async () => {
  const push = (key: unknown) => run((ctx) => ctx.xcom.push(key as string, 1));
  expect(messageOf(await push("k".repeat(600)))).toMatch(/an XCom's key may have 512 characters, and "k+…" has 600/);
  expect(messageOf(await push(""))).toBe("an XCom's key must not be empty");
  expect(messageOf(await push(7))).toBe("an XCom's key must be a text, and it is 7");
});

const withFields = (fields: object) => Object.assign(new Error("m"), fields);
const throwing = Object.defineProperty(new Error("m"), "message", {
  get() {
    throw new Error("no");
  },
});
test.each<[string, Error, object]>([
  ["an object as message", withFields({ message: { code: 7 } }), { message: '{"code":7}' }],
  ["a number as name", withFields({ name: 7 }), { name: "7", message: "m" }],
  ["no name", withFields({ name: undefined }), { name: "Error" }],
  ["an object as stack", withFields({ stack: { a: 1 } }), { stack: '{"a":1}' }],
  ["a BigInt as message", withFields({ message: 7n }), { message: "(it cannot be shown)" }],
  ["a message that throws", throwing, { message: "(it cannot be shown)" }],
  ["very long texts", withFields({ name: "n".repeat(9_999), message: "m".repeat(99_999), stack: "s".repeat(99_999) }), {}],
])("an error with %s is told as text within the API's bounds", async (_, error, expected) => {
  const outcome = await run(() => {
    throw error;
  });
  expect(outcome).toMatchObject({ state: "failed", error: expected });
  const told = outcome.state === "failed" ? outcome.error : null;
  expect(told?.name.length).toBeLessThanOrEqual(250);
  expect(told?.message.length).toBeLessThanOrEqual(10_000);
  expect(told?.stack?.length ?? 0).toBeLessThanOrEqual(10_000);
});

test("the reason of a skip is text, and cut", async () => {
  const skipped = (message: unknown) =>
    run(() => {
      throw Object.assign(new SkipError("x"), { message });
    });
  expect(await skipped({ why: 1 })).toMatchObject({ state: "skipped", reason: '{"why":1}' });
  expect(await skipped("r".repeat(99_999))).toMatchObject({ state: "skipped", reason: `${"r".repeat(9_999)}…` });
});
