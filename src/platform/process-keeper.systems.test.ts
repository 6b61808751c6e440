/** As root, and where cgroups of version 2 can be made: what processes start is found, however they hide it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { commandAs } from "./account.ts";
import { killProcessBoxes, openProcessBoxes } from "./process-box.ts";
import { keepProcess } from "./process-keeper.ts";

const account = { name: "21003", uid: 21_003, gid: 21_003, home: "/tmp", temporary: "/tmp" };
/**
 * Says the pids of a child, and of one without parent, session, group and environment of its own. It waits for a line before that: a
 * process must be held before it starts anything, as one of Node is, which takes long to boot.
 */
const SCRIPT = `
read go
sleep 600 & echo $!
env -i setsid sh -c 'setsid sleep 600 > /dev/null 2>&1 & echo $!'
read line`;

function start(as: typeof account | null) {
  const mark = { name: "BARAM_TEST_ID", value: randomUUID() };
  const { command, args, options } = commandAs(as, "/bin/sh", ["-c", SCRIPT], { PATH: "/usr/bin:/bin", [mark.name]: mark.value });
  const child = spawn(command, args, { ...options, cwd: "/", detached: true, stdio: ["pipe", "pipe", "inherit"] });
  return { child, mark };
}

async function pidsOf(child: ChildProcess): Promise<[number, number]> {
  let said = "";
  child.stdin?.write("go\n");
  child.stdout?.on("data", (data) => {
    said += data;
  });
  await expect.poll(() => said.split("\n").length, { timeout: 10_000 }).toBe(3);
  const [attached = 0, detached = 0] = said.split("\n").map(Number);
  return [attached, detached];
}

function isAlive(pid: number): boolean {
  try {
    return existsSync(`/proc/${pid}`) && !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("in a box: all but the process itself, then all", async () => {
  const boxes = openProcessBoxes(randomUUID());
  expect(boxes).not.toBeNull();
  const { child, mark } = start(null);
  const keeper = keepProcess(child.pid ?? 0, { mark, account: null, boxes, isAlone: () => false });
  await keeper.held;
  const pids = await pidsOf(child);
  expect(keeper.hasOthers()).toBe(true);
  keeper.killOthers(null);
  await expect.poll(() => pids.map(isAlive)).toEqual([false, false]);
  expect([isAlive(child.pid ?? 0), keeper.hasOthers()]).toEqual([true, false]);
  keeper.killAll();
  await keeper.killUntilGone();
  await expect.poll(() => isAlive(child.pid ?? 0)).toBe(false);
  boxes?.close();
});

test("without a box, as another user: those below it always, detached ones if nobody else can have started them", async () => {
  const { child, mark } = start(account);
  let isAlone = false;
  const keeper = keepProcess(child.pid ?? 0, { mark, account, boxes: null, isAlone: () => isAlone });
  const pids = await pidsOf(child);
  keeper.killOthers(null);
  await expect.poll(() => pids.map(isAlive)).toEqual([false, true]);
  isAlone = true;
  keeper.killAll();
  await keeper.killUntilGone();
  await expect.poll(() => [...pids, child.pid ?? 0].map(isAlive)).toEqual([false, false, false]);
});

test("without a box, as another user: neither its own threads nor other runners, which this process has started, are taken for detached ones", async () => {
  // A process of Node, which has threads of its own, and starts more.
  const script = `
    const { Worker } = require("node:worker_threads");
    new Worker("setInterval(() => {}, 1000); require('node:worker_threads').parentPort.postMessage('up')", { eval: true })
      .once("message", () => console.log("up"));
    process.stdin.resume();`;
  const startNode = () => {
    const { command, args, options } = commandAs(account, process.execPath, ["-e", script], { PATH: "/usr/bin:/bin" });
    return spawn(command, args, { ...options, cwd: "/", detached: true, stdio: ["pipe", "pipe", "inherit"] });
  };
  const runner = startNode();
  const keeper = keepProcess(runner.pid ?? 0, { mark: null, account, boxes: null, isAlone: () => true });
  const idle = startNode();
  const { child: orphanage } = start(account);
  try {
    await Promise.all([runner, idle].map((one) => once(one.stdout, "data")));
    const [, detached] = await pidsOf(orphanage);
    keeper.killOthers(null);
    // Its own end shows that the search took place.
    await expect.poll(() => isAlive(detached)).toBe(false);
    expect([runner, idle].map(({ pid = 0 }) => isAlive(pid))).toEqual([true, true]);
    expect([runner, idle].map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([null, null]);
  } finally {
    for (const one of [runner, idle, orphanage]) one.kill("SIGKILL");
    await keeper.killUntilGone();
  }
});

test("the boxes of a process that died are killed by their name, and the empty ones of dead processes are removed", async () => {
  const name = randomUUID();
  const boxes = openProcessBoxes(name);
  const { child } = start(null);
  await boxes?.hold(child.pid ?? 0);
  const pids = await pidsOf(child);
  killProcessBoxes(name);
  await expect.poll(() => [...pids, child.pid ?? 0].map(isAlive)).toEqual([false, false, false]);
  boxes?.close();
});

test("a box that its owner has removed holds nothing, and asking it ends nobody", async () => {
  const boxes = openProcessBoxes(randomUUID());
  const child = spawn("/bin/sleep", ["600"], { stdio: "ignore" });
  const box = await boxes?.hold(child.pid ?? 0);
  expect(box?.pids()).toEqual([child.pid]);
  box?.kill();
  await expect.poll(() => isAlive(child.pid ?? 0)).toBe(false);
  boxes?.close();
  expect(box?.pids()).toEqual([]);
  box?.close();
});
