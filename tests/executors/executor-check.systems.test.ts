/** `baram executors check` of executors that leave the machine: real workers, the rig's AWS, a real broker, the real execution API. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../src/config/index.ts";
import { type CheckLine, checkExecutor } from "../../src/main/check-executor.ts";
import { findPackageRoot, silentLogger } from "../../src/platform/index.ts";
import { type AwsRig, startAwsRig } from "../support/aws/aws-rig.ts";
import { putBaramOnEcs, putBaramOnLambda } from "../support/aws/baram-on-aws.ts";
import { type BrokerServer, startBroker } from "../support/brokers.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { queueEnvironment, startQueueWorker } from "../support/queue-workers.ts";

let engine: Engine;
let rig: AwsRig;
let broker: BrokerServer;
let environment: Record<string, string>;
const main = join(findPackageRoot(), "dist", "cli", "main.js");
/** The worker's window for its first call is longer than the check waits, unless it is made shorter here. */
const WINDOW = { BARAM__WORKERS__EXECUTION_API_RETRY_WINDOW: "1" };

beforeAll(async () => {
  rig = await startAwsRig();
  broker = await startBroker("redis");
  const ecs = await putBaramOnEcs(rig, WINDOW);
  const lambda = await putBaramOnLambda(rig, { environment: WINDOW });
  await rig.registerTask("patient", { name: "baram", entryPoint: [process.execPath, main] });
  await rig.registerTask("older", { name: "baram", entryPoint: [process.execPath, "-e", "process.exit(2)", "--"] });
  environment = queueEnvironment(broker, {
    BARAM__CORE__EXECUTOR: "QueueExecutor,EcsExecutor,LambdaExecutor",
    ...ecs,
    ...lambda,
  });
  engine = await startEngine({ withScheduler: false, environment });
}, 180_000);
afterAll(async () => {
  await engine?.stop();
  await broker?.stop();
  await rig?.stop();
});

async function check(name: string, given: { own?: Record<string, string>; apiUrl?: string; timeoutSec?: number } = {}) {
  const lines: CheckLine[] = [];
  const config = given.own
    ? { ...loadConfig({ ...environment, BARAM_HOME: engine.home, ...given.own }), database: engine.config.database }
    : engine.config;
  const isGood = await checkExecutor(name, {
    config,
    store: engine.store,
    apiUrl: given.apiUrl ?? engine.apiUrl,
    queue: "default",
    timeoutSec: given.timeoutSec ?? 30,
    logger: silentLogger,
    onLine: (line) => lines.push(line),
  });
  return { isGood, lines: lines.map(({ step, ok, text }) => `${step} ${ok} ${text}`) };
}
const good = (launch: RegExp) => ({
  isGood: true,
  lines: [expect.stringMatching(launch), expect.stringMatching(/^reach true worker /), expect.stringMatching(/^log true /)],
});

test("containers on ECS that reach the API pass, and none is left", async () => {
  expect(await check("EcsExecutor")).toEqual(good(/^launch true arn:aws:ecs:.*:task\/main\//));
  expect(rig.ecs.tasks.every(({ desiredStatus }) => desiredStatus === "STOPPED")).toBe(true);
});

test("a container that cannot reach the API: its ARN, its exit code and what that means, and where to look", async () => {
  const { isGood, lines } = await check("EcsExecutor", { apiUrl: "http://127.0.0.1:1" });
  expect(lines.at(-1)).toMatch(
    /^reach false ECS task arn:aws:ecs:.*stopped: .*exit code 1 \(its worker could not reach the API.*security group.*From this machine: .*ECONNREFUSED/,
  );
  expect(isGood).toBe(false);
});

test("a container that keeps trying is stopped at the time limit, with the last that ECS told", async () => {
  const own = { BARAM__ECS_EXECUTOR__TASK_DEFINITION: "patient" };
  const { lines } = await check("EcsExecutor", { own, apiUrl: "http://127.0.0.1:1", timeoutSec: 4 });
  expect(lines.at(-1)).toMatch(/^reach false no worker reached the API .* within 4 s: ECS task arn:aws:ecs:.* is RUNNING/);
  await expect.poll(() => rig.ecs.tasks.every(({ desiredStatus }) => desiredStatus === "STOPPED")).toBe(true);
});

test("an image of another release, and a task definition that does not exist, are named", async () => {
  const older = await check("EcsExecutor", { own: { BARAM__ECS_EXECUTOR__TASK_DEFINITION: "older" } });
  expect(older.lines.at(-1)).toMatch(/^reach false .*exit code 2 .*another release of Baram/);
  const absent = await check("EcsExecutor", { own: { BARAM__ECS_EXECUTOR__TASK_DEFINITION: "absent" } });
  expect(absent.lines).toEqual([expect.stringMatching(/^launch false .*task_definition "absent"/)]);
});

test("functions of Lambda that reach the API pass, and one that does not says why", async () => {
  expect(await check("LambdaExecutor")).toEqual(good(/^launch true [0-9a-f-]{36}/));
  const { isGood, lines } = await check("LambdaExecutor", { apiUrl: "http://127.0.0.1:1" });
  expect(lines.at(-1)).toMatch(/^reach false .*was not started: .*ECONNREFUSED .*; probably .*CloudWatch/);
  expect(isGood).toBe(false);
});

test("the failed event of a scheduler's own try stays in the queue for it", async () => {
  const theirs = await rig.createQueue("theirs");
  await rig.sendMessage(theirs, JSON.stringify({ task_key: randomUUID() }));
  const own = { BARAM__LAMBDA_EXECUTOR__DEAD_LETTER_QUEUE_URL: theirs };
  expect((await check("LambdaExecutor", { own })).isGood).toBe(true);
  expect(await rig.countMessages(theirs)).toBe(1);
});

test("a queue without a worker is named with the remedy, and with one its executor passes", async () => {
  const { isGood, lines } = await check("QueueExecutor", { timeoutSec: 4 });
  expect(lines).toEqual([
    "launch true accepted",
    expect.stringMatching(/within 4 s: it is in the queue "default" of the broker, which no worker serves: start one with/),
  ]);
  expect(isGood).toBe(false);
  const worker = await startQueueWorker({ config: engine.config, apiUrl: engine.apiUrl, environment, name: "w1" });
  try {
    expect(await check("QueueExecutor")).toEqual(good(/^launch true handed to a worker/));
  } finally {
    await worker.dispose();
  }
});
