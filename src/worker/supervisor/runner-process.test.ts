import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { killAndWait } from "../../../tests/support/kill-and-wait.ts";
import { distFile } from "../../main/dist-file.ts";
import { startRunner } from "./runner-process.ts";

function start(entry: string) {
  const ends: string[] = [];
  let ready = false;
  const on = {
    ready() {
      ready = true;
    },
    message() {},
    output() {},
    ended: (how: string) => void ends.push(how),
  };
  const runner = startRunner({
    entry,
    environment: { PATH: process.env.PATH ?? "" },
    maxLineBytes: 1_000,
    sensitiveNames: [],
    account: null,
    boxes: null,
    isAlone: () => true,
    on,
  });
  return { runner, ends, isReady: () => ready };
}

test("what is sent to a runner that has just died ends nobody, and its end is told once", async () => {
  const { runner, ends, isReady } = start(distFile("worker/runner/entry.js"));
  await expect.poll(isReady, { timeout: 10_000 }).toBe(true);
  killAndWait(runner.pid);
  for (let at = 0; at < 3; at++) runner.send({ type: "cancel", reason: "x".repeat(100_000), isLost: true });
  runner.terminate();
  await expect.poll(() => ends).toEqual(["was killed by SIGKILL (out of memory, or kill -9)"]);
  runner.send({ type: "cancel", reason: "late", isLost: true });
  runner.kill();
});

test("a runner that ends while it is written to ends nobody", async () => {
  const entry = join(mkdtempSync(join(tmpdir(), "baram-runner-")), "entry.mjs");
  writeFileSync(entry, "process.exit(3);");
  const { runner, ends } = start(entry);
  const timer = setInterval(() => runner.send({ type: "cancel", reason: "x".repeat(100_000), isLost: true }), 1);
  await expect.poll(() => ends, { timeout: 10_000 }).toEqual(["ended with exit code 3"]);
  clearInterval(timer);
});

test.each([
  ["process.exit(0)", "ended with exit code 0 (a task ends by returning, not by process.exit)"],
  ["process.abort()", "was killed by SIGABRT (Node.js aborts when its heap is full"],
])("the end by %s is told with its likely reason", async (code, told) => {
  const entry = join(mkdtempSync(join(tmpdir(), "baram-runner-")), "entry.mjs");
  writeFileSync(entry, `${code};`);
  const { ends } = start(entry);
  await expect.poll(() => ends, { timeout: 10_000 }).toEqual([expect.stringContaining(told)]);
});
