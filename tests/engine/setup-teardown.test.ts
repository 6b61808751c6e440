import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDagCache, markRun } from "../../src/scheduler/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

const FILE = `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
import { LatestOnlyOperator, EmptyOperator } from "baram/operators";

const step = (taskId: string, fails = false) =>
  task({ taskId }, async (ctx) => {
    appendFileSync(String(ctx.conf.steps), ctx.dag.dagId + " " + taskId + "\\n");
    if (fails) throw new Error("on purpose");
  });
const hang = task({ taskId: "hang" }, async (ctx) => {
  appendFileSync(String(ctx.conf.steps), ctx.dag.dagId + " hang\\n");
  try {
    await ctx.sleep("60s");
  } finally {
    appendFileSync(String(ctx.conf.steps), ctx.dag.dagId + " hang stopped\\n");
  }
});

dag({ dagId: "scoped" }, () => {
  const down = step("down")().asTeardown({ setups: step("up")() });
  down.around(() => step("work", true)());
});
dag({ dagId: "fast", failFast: true }, () => {
  const up = step("up")();
  const down = step("down")().asTeardown({ setups: up });
  down.around(() => {
    const waits = task({ taskId: "fails_later" }, async (ctx) => {
      const { readFileSync } = await import("node:fs");
      while (!readFileSync(String(ctx.conf.steps), "utf8").includes("fast hang")) await ctx.sleep("20ms");
      throw new Error("on purpose");
    });
    waits();
    hang();
  });
});
dag({ dagId: "marked" }, () => {
  const down = step("down")().asTeardown({ setups: step("up")() });
  down.around(() => hang());
});
dag({ dagId: "latest" }, () => {
  new LatestOnlyOperator({ taskId: "latest" }).before(new EmptyOperator({ taskId: "after" }));
});
`;

let engine: Engine;
let steps: string;
beforeAll(async () => {
  engine = await startEngine({ environment: { BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3" } });
  steps = join(engine.home, "steps.txt");
  await engine.load({ "setup.ts": FILE });
});
afterAll(() => engine.stop());

const stepsOf = (dagId: string) => {
  try {
    const lines = readFileSync(steps, "utf8").trim().split("\n");
    return lines.filter((line) => line.startsWith(`${dagId} `)).map((line) => line.slice(dagId.length + 1));
  } catch {
    return [];
  }
};
const start = (dagId: string) => engine.trigger(dagId, { conf: { steps } });

test("work that fails between setup and teardown: the teardown runs after it, and the run fails", async () => {
  const runId = await start("scoped");
  expect(await engine.finished("scoped", runId)).toBe("failed");
  expect(await engine.states("scoped", runId)).toEqual({ up: "success", work: "failed", down: "success" });
  expect(stepsOf("scoped")).toEqual(["up", "work", "down"]);
});

test("fail-fast stops the work that runs in another process, and the teardown still runs", async () => {
  const runId = await start("fast");
  expect(await engine.finished("fast", runId)).toBe("failed");
  expect(await engine.states("fast", runId)).toEqual({ up: "success", fails_later: "failed", hang: "failed", down: "success" });
  await expect.poll(() => stepsOf("fast"), { timeout: 15_000 }).toContain("hang stopped");
  expect(stepsOf("fast")).toContain("down");
});

test("a run marked failed: its running task is stopped, its teardown runs", async () => {
  const runId = await start("marked");
  await expect.poll(() => stepsOf("marked"), { timeout: 15_000 }).toContain("hang");
  await markRun(engine.store, createDagCache(), "marked", runId, "failed", { user: "ada" });
  expect(await engine.finished("marked", runId)).toBe("failed");
  expect(await engine.states("marked", runId)).toEqual({ up: "success", hang: "failed", down: "success" });
  await expect.poll(() => stepsOf("marked"), { timeout: 15_000 }).toContain("hang stopped");
});

test("LatestOnlyOperator asks the platform in a scheduled run, and goes on where no schedule leaves the run behind", async () => {
  const runId = await engine.trigger("latest");
  await engine.store.query("update dag_run set run_type = 'scheduled' where run_id = $1", [runId]);
  expect(await engine.finished("latest", runId)).toBe("success");
  expect(await engine.states("latest", runId)).toEqual({ latest: "success", after: "success" });
});
