/** The pool with real processes, and with triggers that end them. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { distFile } from "../../main/dist-file.ts";
import type { ClaimedTrigger } from "../contract.ts";
import { type ChildPool, createChildPool } from "./child-pool.ts";

const MAX_DEATHS = 3;

let folder: string;
let pool: ChildPool;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram-pool-"));
});
afterEach(() => pool.stop());

/** A module whose triggers wait for the file `go`, but for those of class Culprit. `atLoad` runs where the module is loaded. */
function writeModule(name: string, culprit: string, atLoad = ""): string {
  const code = `import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { BaseTrigger, dag, registerTrigger, TriggerEvent } from ${JSON.stringify(distFile("sdk/index.js"))};
const count = (file) => { appendFileSync(file, "x"); return readFileSync(file).length; };
${atLoad}
class Waits extends BaseTrigger {
  async *run(ctx) { while (!existsSync(${JSON.stringify(join(folder, "go"))})) await ctx.sleep("20ms"); yield new TriggerEvent(); }
}
class Culprit extends Waits {
  async *run(ctx) { const start = count(${JSON.stringify(join(folder, "starts"))}); ${culprit}; yield* super.run(ctx); }
}
registerTrigger("Waits", Waits);
registerTrigger("Culprit", Culprit);
export default dag({ dagId: ${JSON.stringify(name)}, schedule: null }, () => {});
`;
  // As in a module cache: the folder's name is the hash of the code.
  const path = join(folder, createHash("sha256").update(code).digest("hex"), "dag.mjs");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code);
  return path;
}

/** As the triggerer: a charged trigger is started again with one death more, till it has had too many. */
function open(options: { maxProcesses?: number; provenMs?: number } = {}) {
  const fired: number[] = [];
  const failed: number[] = [];
  const deaths = new Map<number, number>();
  const given = new Map<number, { trigger: ClaimedTrigger; path: string }>();
  const start = (id: number, classpath: string, path: string) => {
    const task = { dagId: "d", runId: "r", taskId: "t", mapIndex: -1, tryNumber: 1 };
    const trigger = { id, classpath, moduleHash: path, kwargs: {}, deaths: deaths.get(id) ?? 0, tryId: "", task, logPath: "" };
    given.set(id, { trigger, path });
    pool.start(trigger, path);
  };
  pool = createChildPool(
    {
      entry: distFile("triggerer/child/entry.js"),
      environment: { PATH: process.env.PATH ?? "" },
      blockedTimeoutSec: 0.5,
      maxProcesses: options.maxProcesses ?? 8,
      ...(options.provenMs === undefined ? {} : { provenMs: options.provenMs }),
    },
    {
      end: (id, end) => (end.kind === "failed" ? failed : fired).push(id),
      log() {},
      call: async () => null,
      blocked() {},
      parted() {},
      died(_how, ids) {
        for (const id of ids) {
          deaths.set(id, (deaths.get(id) ?? 0) + 1);
          const { trigger, path } = given.get(id) ?? {};
          if ((deaths.get(id) ?? 0) >= MAX_DEATHS) failed.push(id);
          else if (trigger && path) start(id, trigger.classpath, path);
        }
      },
    },
  );
  return { fired, failed, deaths, start };
}

const go = () => writeFileSync(join(folder, "go"), "");
const sorted = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);

test.each([
  ["ends its process", "process.exit(3)"],
  ["is killed", 'process.kill(process.pid, "SIGKILL"); await new Promise(() => {})'],
  ["blocks the event loop", "for (;;);"],
  ["takes its time to die", "await ctx.sleep(((start * 7) % 5) * 150 + 1 + 'ms'); process.exit(3)"],
])(
  "one trigger that %s fails, and the seven that were in its process fire",
  async (_what, culprit) => {
    const path = writeModule("m", culprit);
    const { fired, failed, deaths, start } = open();
    for (let id = 1; id <= 8; id++) start(id, id === 5 ? "Culprit" : "Waits", path);
    await expect.poll(() => failed, { timeout: 40_000 }).toEqual([5]);
    // Charged while it was alone, and nobody else ever.
    expect([...deaths]).toEqual([[5, MAX_DEATHS]]);
    go();
    await expect.poll(() => sorted(fired), { timeout: 10_000 }).toEqual([1, 2, 3, 4, 6, 7, 8]);
  },
  60_000,
);

test("a trigger that ends its process only sometimes costs nobody a thing: all fire when it lives", async () => {
  const path = writeModule("m", "if (start % 2) process.exit(3)");
  const { fired, failed, start } = open();
  for (let id = 1; id <= 6; id++) start(id, id === 2 ? "Culprit" : "Waits", path);
  await expect.poll(() => readFileSync(join(folder, "starts"), "utf8").length, { timeout: 20_000 }).toBe(2);
  go();
  await expect.poll(() => sorted(fired), { timeout: 10_000 }).toEqual([1, 2, 3, 4, 5, 6]);
  expect(failed).toEqual([]);
}, 60_000);

test("with one process for suspects the others take turns till they have lived long enough, and none waits for ever", async () => {
  const path = writeModule("m", "process.exit(3)");
  const { fired, failed, start } = open({ maxProcesses: 1, provenMs: 300 });
  for (let id = 1; id <= 6; id++) start(id, id === 6 ? "Culprit" : "Waits", path);
  await expect.poll(() => failed, { timeout: 40_000 }).toEqual([6]);
  go();
  await expect.poll(() => sorted(fired), { timeout: 10_000 }).toEqual([1, 2, 3, 4, 5]);
}, 60_000);

test("a module that ends the process that loads it fails all of its triggers, in a few processes, and those of another module fire", async () => {
  const loads = join(folder, "loads");
  const path = writeModule("bad", "", `count(${JSON.stringify(loads)}); process.exit(4);`);
  const other = writeModule("good", "");
  const { fired, failed, start } = open({ maxProcesses: 1 });
  for (let id = 1; id <= 20; id++) start(id, "Waits", path);
  for (let id = 21; id <= 24; id++) start(id, "Waits", other);
  await expect.poll(() => failed.length, { timeout: 40_000 }).toBe(20);
  expect(existsSync(loads) && readFileSync(loads, "utf8").length).toBeLessThanOrEqual(2 * MAX_DEATHS);
  go();
  await expect.poll(() => sorted(fired), { timeout: 10_000 }).toEqual([21, 22, 23, 24]);
  expect(Math.max(...failed)).toBe(20);
}, 60_000);

test("a module whose load throws fails its triggers with that, and costs no process", async () => {
  const path = writeModule("throws", "", 'throw new Error("no such host");');
  const { failed, deaths, start } = open();
  for (let id = 1; id <= 3; id++) start(id, "Waits", path);
  await expect.poll(() => sorted(failed), { timeout: 20_000 }).toEqual([1, 2, 3]);
  expect(deaths.size).toBe(0);
}, 60_000);

test("a suspect that is cancelled while it waits is never started", async () => {
  const path = writeModule("m", "process.exit(3)");
  const { fired, start } = open({ maxProcesses: 1, provenMs: 60_000 });
  for (let id = 1; id <= 4; id++) start(id, id === 1 ? "Culprit" : "Waits", path);
  await expect.poll(() => existsSync(join(folder, "starts")), { timeout: 20_000 }).toBe(true);
  for (let id = 1; id <= 4; id++) pool.cancel(id);
  go();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(fired).toEqual([]);
}, 60_000);
