import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { expect, test } from "vitest";
import { killAndWait } from "../../tests/support/kill-and-wait.ts";
import { ownPipes } from "./child-pipes.ts";

test("a write to any pipe of a process that has just died is told, and ends nobody", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    stdio: ["pipe", "pipe", "pipe", "pipe", "ipc"],
  });
  const faults: string[] = [];
  const pipes = ownPipes(child, (pipe) => faults.push(pipe));
  await new Promise((resolve) => child.once("spawn", resolve));
  killAndWait(child.pid ?? 0);
  for (const pipe of [child.stdin, child.stdio[3] as Writable]) {
    pipe?.write("one");
    pipe?.write("two");
  }
  pipes.send({ one: 1 });
  pipes.send({ two: 2 });
  await new Promise((resolve) => child.once("close", resolve));
  expect(new Set(faults)).toEqual(new Set(["stdin", "descriptor 3", "channel"]));
  pipes.send({ late: 3 });
  expect(faults.at(-1)).toBe("channel");
});

test("a process that cannot be started is told to who listens, and ends nobody", async () => {
  const child = spawn("/no/such/program", { stdio: ["pipe", "pipe", "pipe"] });
  const faults: string[] = [];
  ownPipes(child, (pipe) => faults.push(pipe));
  child.stdin.write("x");
  await expect.poll(() => faults).toContain("process");
});

test("whoever starts processes hands their pipes over", () => {
  const starters = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => [path, readFileSync(join("src", path), "utf8")] as const)
    .filter(([, text]) => /^import (?!type ).*"node:child_process"/m.test(text))
    .map(([path, text]) => ({
      path,
      started: text.match(/\b(spawn|fork|execFile)\(/g)?.length ?? 0,
      owned: text.match(/\bownPipes\(/g)?.length ?? 0,
    }))
    .filter(({ started }) => started > 0);
  expect(starters.length).toBeGreaterThan(4);
  expect(starters.filter(({ started, owned }) => owned !== started)).toEqual([]);
});
