import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPackageRoot } from "../../src/platform/index.ts";
import { type AwsRig, startAwsRig } from "../support/aws/aws-rig.ts";
import { putBaramOnEcs } from "../support/aws/baram-on-aws.ts";
import { type Engine, startEngine } from "../support/engine.ts";

const root = findPackageRoot();
let rig: AwsRig;
let engine: Engine;

beforeAll(async () => {
  rig = await startAwsRig();
  const ecs = await putBaramOnEcs(rig);
  const queueUrl = await rig.createQueue("results");
  await rig.createFunction({ name: "baram", handler: join(root, "dist", "main", "lambda-handler.js") });
  engine = await startEngine({
    withExamples: true,
    environment: {
      BARAM__CORE__EXECUTOR: "LocalExecutor,EcsExecutor,LambdaExecutor",
      ...ecs,
      BARAM__LAMBDA_EXECUTOR__FUNCTION_NAME: "baram",
      BARAM__LAMBDA_EXECUTOR__QUEUE_URL: queueUrl,
    },
  });
}, 180_000);
afterAll(async () => {
  await engine?.stop();
  await rig?.stop();
});

test("the hybrid example runs whole: light tasks on Lambda, the heavy one on ECS, the rest beside the scheduler", async () => {
  await engine.load({});
  const report = join(engine.home, "report.txt");
  const input = join(root, "examples", "data", "Mall_Customers.csv");
  const runId = await engine.trigger("hybrid", { conf: { input, report } });
  expect(await engine.finished("hybrid", runId, 60_000)).toBe("success");

  const { rows } = await engine.store.query<{ task: string; executor: string; external: string | null; tries: number }>(
    `select task_id as task, executor, external_executor_id as external, try_number as tries from task_instance where run_id = $1 order by task_id`,
    [runId],
  );
  expect(rows.map(({ task, executor, tries }) => [task, executor, tries])).toEqual([
    ["read_customers", "LocalExecutor", 1],
    ["segment", "EcsExecutor", 1],
    ["summarise", "LambdaExecutor", 1],
    ["summarise_men", "LambdaExecutor", 1],
    ["write_report", "LocalExecutor", 1],
  ]);
  // Not only the names: the workload that AWS was asked to run is the one that ran.
  const [ecsTask, ...moreTasks] = rig.ecs.tasks;
  expect(moreTasks).toEqual([]);
  expect(ecsTask?.arn).toBe(rows.find(({ task }) => task === "segment")?.external);
  expect(ecsTask?.request.overrides).toMatchObject({ cpu: "1024", memory: "2048" });
  expect(rig.lambda.invocations.map(({ requestId }) => requestId).sort()).toEqual(
    rows
      .filter(({ executor }) => executor === "LambdaExecutor")
      .map(({ external }) => external)
      .sort(),
  );
  expect(ecsTask?.output).not.toContain("eyJ");

  const lines = readFileSync(report, "utf8").trim().split("\n");
  const customers = readFileSync(input, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(","));
  for (const [at, gender] of ["Female", "Male"].entries()) {
    const scores = customers.filter((one) => one[1] === gender).map((one) => Number(one[4]));
    const mean = scores.reduce((sum, one) => sum + one, 0) / scores.length;
    expect(lines[at]).toBe(`${gender}: ${scores.length} customers, mean score ${mean.toFixed(2)}`);
  }
  const sizes = lines.slice(2).map((line) => Number(/: (\d+) customers$/.exec(line)?.[1]));
  expect(sizes).toHaveLength(5);
  expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(200);
});

test("what Lambda or ECS cannot run is an import error that names the task and the remedy", async () => {
  const file = (body: string) => `
import { dag, task } from "baram";
export default dag({ dagId: "wrong", schedule: null }, () => { task(${body}, async () => 1)(); });`;
  await expect(
    engine.load({ "wrong.ts": file(`{ taskId: "long", executor: "lambda", executionTimeout: "20m" }`) }),
  ).rejects.toThrow(
    /DAG wrong, task long, on LambdaExecutor: executionTimeout is 1200 s.*900 s at most; give the task another executor/,
  );
  await expect(
    engine.load({ "wrong.ts": file(`{ taskId: "own", executor: "ecs", executorConfig: { command: ["sh"] } }`) }),
  ).rejects.toThrow(/DAG wrong, task own, on EcsExecutor: executorConfig for ECS: "command" cannot be set/);
  await engine.load({ "wrong.ts": file(`{ taskId: "fine", executor: "lambda", executionTimeout: "15m" }`) });
});

test("a Spot interruption is a retry: the worker has the time to stop its task and to say why", async () => {
  const started = join(engine.home, "spot-started");
  await engine.load({
    "spot.ts": `
import { writeFileSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "spot", schedule: null }, () => {
  task({ taskId: "t", executor: "ecs", retries: 1, retryDelay: "1s" }, async (ctx) => {
    writeFileSync(${JSON.stringify(started)}, "");
    if (ctx.ti.tryNumber === 1) await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    return ctx.ti.tryNumber;
  })();
});`,
  });
  const before = rig.ecs.tasks.length;
  const runId = await engine.trigger("spot");
  // Before its code runs, an interruption uses up no try: the task is scheduled again.
  await expect.poll(() => existsSync(started), { timeout: 10_000, interval: 20 }).toBe(true);
  const first = rig.ecs.tasks[before] ?? neverThere();
  rig.ecs.interruptSpot(first);
  expect(await engine.finished("spot", runId, 30_000)).toBe("success");
  // The worker reported the outcome itself, in time: its exit code shows it.
  expect(first).toMatchObject({ stopCode: "SpotInterruption", exitCode: 0 });
  expect(rig.ecs.tasks).toHaveLength(before + 2);
  const { rows } = await engine.store.query<{ n: number; reason: string }>(
    "select try_number as n, reason from task_instance_history where run_id = $1",
    [runId],
  );
  expect(rows).toEqual([{ n: 1, reason: expect.stringContaining("the worker was stopped (SIGTERM)") as string }]);
}, 45_000);

test("a task that outlasts its function is stopped in time, fails with that reason and is retried; a second delivery starts nothing", async () => {
  rig.lambda.define({ ...(rig.lambda.find("baram") ?? neverThere()), timeoutMs: 6_000 });
  await engine.load({
    "wrong.ts": "",
    "long.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "long", schedule: null }, () => {
  task({ taskId: "t", executor: "lambda", retries: 1, retryDelay: "1s" }, async (ctx) => {
    if (ctx.ti.tryNumber === 1) await new Promise((resolve) => setTimeout(resolve, 60_000));
    return ctx.ti.tryNumber;
  })();
});`,
  });
  const runId = await engine.trigger("long");
  await expect.poll(async () => (await engine.states("long", runId)).t, { timeout: 10_000, interval: 20 }).toBe("running");
  const invocation = rig.lambda.invocations.at(-1) ?? neverThere();
  // While the first delivery is running, in another environment.
  rig.lambda.deliverAgain(invocation);
  expect(await engine.finished("long", runId, 30_000)).toBe("success");
  await expect.poll(() => invocation.attempts).toBe(2);
  const { rows } = await engine.store.query<{ n: number; reason: string }>(
    "select try_number as n, reason from task_instance_history where run_id = $1",
    [runId],
  );
  expect(rows).toEqual([{ n: 1, reason: expect.stringContaining("the time of the Lambda function was nearly over") as string }]);
}, 45_000);

function neverThere(): never {
  throw new Error("the rig has no such function or invocation");
}
