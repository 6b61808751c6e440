import { expect, test } from "vitest";
import { readableLine } from "./readable-line.ts";

const line = (facts: object, msg = "task finished", level = 30) =>
  JSON.stringify({ level, time: "2024-01-31T10:00:00.123Z", role: "scheduler", pid: 7, ...facts, msg });

test("a line says when, how bad, who and what, then the facts, those that name the task first", () => {
  expect(readableLine(line({ durationSec: 1.23456, state: "success", taskId: "t", dagId: "d", runId: "r" }), false)).toBe(
    "2024-01-31 10:00:00.123 INFO  scheduler     task finished  dagId=d  runId=r  taskId=t  state=success  durationSec=1.235\n",
  );
});

test("values that would be mistaken are quoted, and no control character reaches the terminal", () => {
  const text = readableLine(line({ a: "two words", b: "x=y", c: "\u001b[31m\nforged", d: "", e: null, f: ["g"] }), false);
  expect(text).toBe(
    '2024-01-31 10:00:00.123 INFO  scheduler     task finished  a="two words"  b="x=y"  c="\\u001b[31m\\nforged"  d=""  e=null  f=["g"]\n',
  );
});

test("a stack follows in lines of its own, and colours are only there on request", () => {
  const text = readableLine(line({ error: "no", stack: "Error: no\n    at f" }, "failed", 50), false);
  expect(text.split("\n")).toEqual([
    "2024-01-31 10:00:00.123 ERROR scheduler     failed  error=no",
    "    Error: no",
    "        at f",
    "",
  ]);
  expect(readableLine(line({}, "failed", 50), true)).toContain("\u001b[31mERROR\u001b[0m");
});
