/** The log of an engine's roles and real workers at the default level. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

type Line = { message: string; facts: Record<string, unknown> };
const lines: Line[] = [];
const info: Logger["info"] = (facts, message) => lines.push({ message, facts: { ...facts } });
const logger: Logger = { ...silentLogger, info, child: () => logger };

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ logger });
}, 60_000);
afterAll(() => engine?.stop());

test("each run and each try is told of: created or started, queued, and ended with state and duration", {
  timeout: 60_000,
}, async () => {
  await engine.load({
    "told.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "told", schedule: null }, () => {
  const plain = task({ taskId: "plain" }, () => [1, 2])();
  task({ taskId: "flaky", retries: 1, retryDelay: { seconds: 0 } }, async (ctx) => {
    if (ctx.ti.tryNumber === 1) throw new Error("a secret of the task's own");
  })();
  task({ taskId: "each" }, (_ctx, n) => { if (n === 2) throw new Error("no"); }).expand(plain);
});`,
  });
  const runId = await engine.trigger("told");
  expect(await engine.finished("told", runId)).toBe("failed");
  const told = (message: string) => lines.filter((line) => line.message === message).map(({ facts }) => facts);
  await expect.poll(() => told("run finished").length).toBe(1);

  expect(told("run started")).toEqual([{ dagId: "told", runId }]);
  const place = (taskId: string, tryNumber: number, more = {}) => ({ dagId: "told", runId, taskId, tryNumber, ...more });
  const queued = told("task queued");
  const executor = "LocalExecutor";
  expect(queued).toHaveLength(5);
  expect(queued).toEqual(
    expect.arrayContaining([
      place("plain", 1, { executor }),
      place("flaky", 1, { executor }),
      place("flaky", 2, { executor }),
      place("each", 1, { executor, mapIndex: 0 }),
      place("each", 1, { executor, mapIndex: 1 }),
    ]),
  );
  const durationSec = expect.any(Number);
  expect(told("task finished")).toEqual(
    expect.arrayContaining([
      place("plain", 1, { state: "success", durationSec }),
      place("flaky", 2, { state: "success", durationSec }),
      place("each", 1, { mapIndex: 0, state: "success", durationSec }),
    ]),
  );
  expect(told("task failed and will be retried")).toEqual([place("flaky", 1, { state: "up_for_retry", durationSec })]);
  expect(told("task failed")).toEqual([place("each", 1, { mapIndex: 1, state: "failed", durationSec })]);
  expect(told("run finished")).toEqual([{ dagId: "told", runId, state: "failed", durationSec }]);
  expect(JSON.stringify(lines)).not.toContain("secret");
});
