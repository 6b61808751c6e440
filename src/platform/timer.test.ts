import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sleep } from "./sleep.ts";
import { startInterval, startTimer, timeoutSignal } from "./timer.ts";

const DAY_MS = 86_400_000;

describe("long waits", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([1, 24, 25, 50, 400])("a timer of %d days fires then, once, and not before", async (days) => {
    let fired = 0;
    startTimer(days * DAY_MS, () => fired++);
    await vi.advanceTimersByTimeAsync(days * DAY_MS - 1);
    expect(fired).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(fired).toBe(1);
    await vi.advanceTimersByTimeAsync(100 * DAY_MS);
    expect(fired).toBe(1);
  });

  test("one that is cancelled in a later leg never fires, and one without an end waits on", async () => {
    let fired = 0;
    const timer = startTimer(60 * DAY_MS, () => fired++).unref();
    startTimer(Number.POSITIVE_INFINITY, () => fired++);
    await vi.advanceTimersByTimeAsync(55 * DAY_MS);
    timer.cancel();
    await vi.advanceTimersByTimeAsync(500 * DAY_MS);
    expect(fired).toBe(0);
  });

  test.each([1, 30])("an interval of %d days fires each time, and not after it was cancelled, by itself too", async (days) => {
    let fired = 0;
    const interval = startInterval(days * DAY_MS, () => {
      fired++;
      if (fired === 3) interval.cancel();
    });
    await vi.advanceTimersByTimeAsync(2 * days * DAY_MS);
    expect(fired).toBe(2);
    await vi.advanceTimersByTimeAsync(5 * days * DAY_MS);
    expect(fired).toBe(3);
  });

  test("a sleep of 25 days ends then, or at its abort", async () => {
    const ended: string[] = [];
    const stop = new AbortController();
    void sleep(25 * DAY_MS).then(() => ended.push("time"));
    void sleep(25 * DAY_MS, stop.signal).then(() => ended.push("abort"));
    await vi.advanceTimersByTimeAsync(25 * DAY_MS - 1);
    expect(ended).toEqual([]);
    stop.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toEqual(["abort"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toEqual(["abort", "time"]);
  });

  test("a signal of 25 days aborts then, with a TimeoutError", async () => {
    const signal = timeoutSignal(25 * DAY_MS);
    await vi.advanceTimersByTimeAsync(25 * DAY_MS - 1);
    expect(signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(signal.reason).toMatchObject({ name: "TimeoutError" });
  });
});

test("timers leave a process alone that has nothing else to do, if they are to", () => {
  const timers = [startTimer(10_000_000_000, () => {}).unref(), startInterval(10_000, () => {}).unref()];
  const held = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  for (const timer of timers) timer.cancel();
  expect(process.getActiveResourcesInfo().filter((kind) => kind === "Timeout")).toHaveLength(held);
});

/** Literals, names in capitals, and expressions of them: values that no file, option or request can set. */
function isConstant(node: ts.Expression): boolean {
  if (ts.isNumericLiteral(node)) return true;
  if (ts.isIdentifier(node)) return /^[A-Z][A-Z0-9_]*$/.test(node.text);
  if (ts.isParenthesizedExpression(node)) return isConstant(node.expression);
  return ts.isBinaryExpression(node) && isConstant(node.left) && isConstant(node.right);
}

/** Calls of Node's own timers whose delay is not a constant of the file. */
function longWaitsIn(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const note = (node: ts.Node, what: string) =>
    found.push(`${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${what}`);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && /["'](node:)?timers(\/promises)?["']/.test(node.moduleSpecifier.getText()))
      note(node, node.moduleSpecifier.getText());
    if (ts.isCallExpression(node)) {
      const name = node.expression.getText();
      const delay = /^(globalThis\.)?(setTimeout|setInterval)$/.test(name)
        ? node.arguments[1]
        : name === "AbortSignal.timeout"
          ? node.arguments[0]
          : undefined;
      if (delay !== undefined && !isConstant(delay)) note(node, `${name}(… ${delay.getText()})`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Waits at most 50 ms, and uses Node's original timers, since a task may have replaced them. */
const PENDING_WORK = "src/worker/runner/pending-work.ts";
/** Looks whether a DAG file has replaced the timers, and waits for nothing. */
const LEAKS = "src/dag-files/child/leaks.ts";

test("no wait whose length comes from data uses Node's own timers, which cannot keep 25 days", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" })
    .map((path) => join("src", path))
    .filter(
      (path) =>
        path.endsWith(".ts") && !/\.test(-d)?\.ts$/.test(path) && !["src/platform/timer.ts", PENDING_WORK, LEAKS].includes(path),
    );
  expect(files.length).toBeGreaterThan(300);
  expect(files.flatMap(longWaitsIn), "use startTimer, startInterval, sleep or timeoutSignal of src/platform").toEqual([]);
});
