import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "../../platform/index.ts";
import { createLocalExecutor } from "./local-executor.ts";

/** A supervisor that gets ready at its nth start, and is killed before it at those before. */
function executorReadyAt(start: number) {
  const folder = mkdtempSync(join(tmpdir(), "baram-local-"));
  const starts = join(folder, "starts");
  const entry = join(folder, "supervisor.mjs");
  writeFileSync(
    entry,
    `import { appendFileSync, readFileSync } from "node:fs";
appendFileSync(${JSON.stringify(starts)}, "x");
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
  return { executor, started: () => (existsSync(starts) ? readFileSync(starts, "utf8").length : 0) };
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
