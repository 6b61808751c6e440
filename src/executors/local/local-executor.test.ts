import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { killAndWait } from "../../../tests/support/kill-and-wait.ts";
import type { Workload } from "../../contracts/index.ts";
import { silentLogger } from "../../platform/index.ts";
import { createLocalExecutor } from "./local-executor.ts";

/** A supervisor that gets ready at its nth start, and is killed before it at those before. */
function executorReadyAt(start: number) {
  const folder = mkdtempSync(join(tmpdir(), "baram-local-"));
  const starts = join(folder, "starts");
  const pidFile = join(folder, "pid");
  const entry = join(folder, "supervisor.mjs");
  writeFileSync(
    entry,
    `import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
appendFileSync(${JSON.stringify(starts)}, "x");
writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
if (readFileSync(${JSON.stringify(starts)}).length < ${start}) process.kill(process.pid, "SIGKILL");
process.on("message", ({ type }) => {
  if (type === "configure") process.send({ type: "ready" });
  if (type === "drain") process.send({ type: "drained" }, () => process.exit(0));
});
`,
  );
  const executor = createLocalExecutor(
    {
      name: "LocalExecutor",
      parallelism: 2,
      onEvent: () => {},
      supervisorEntry: entry,
      supervisorOptions: {},
      environment: {},
      killGraceMs: 1_000,
    },
    silentLogger,
  );
  return {
    executor,
    pid: () => Number(readFileSync(pidFile, "utf8")),
    started: () => (existsSync(starts) ? readFileSync(starts, "utf8").length : 0),
  };
}

test("a supervisor that is killed while it boots is started again, and then there are places", async () => {
  const { executor, started } = executorReadyAt(3);
  await executor.start();
  expect(started()).toBe(3);
  expect(executor.slotsAvailable()).toBe(2);
  await executor.end(0);
});

test("a supervisor that never gets ready ends the start after a few attempts, and says how it ended", async () => {
  const { executor, started } = executorReadyAt(100);
  await expect(executor.start()).rejects.toThrow("the supervisor ended with SIGKILL before it was ready");
  expect(started()).toBe(4);
});

test("what is sent to a supervisor that has just been killed ends nobody else, and all that it had is told as lost", async () => {
  const { executor, started, pid } = executorReadyAt(1);
  await executor.start();
  executor.queue([workload("a"), workload("b")]);
  killAndWait(pid());
  // Its end is not seen yet: each of these is written to a closed channel.
  for (const id of ["x", "y"]) executor.revoke(id);
  executor.queue([workload("c")]);
  await expect
    .poll(() => executor.takeEvents().map(({ id, kind }) => `${id} ${kind}`), { interval: 1 })
    .toEqual(["a lost", "b lost", "c lost"]);
  await expect.poll(started).toBe(2);
  await expect.poll(() => executor.slotsAvailable()).toBe(2);
  await executor.end(0);
});

function workload(id: string): Workload {
  return { type: "ExecuteCallback", token: "t", callbackId: id, moduleHash: "0".repeat(64), logPath: "x.log" };
}
