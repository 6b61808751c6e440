import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connectionSchema } from "../../src/contracts/index.ts";
import {
  createLambdaExecutor,
  type Executor,
  type ExecutorEvent,
  type LambdaExecutorOptions,
} from "../../src/executors/index.ts";
import { findPackageRoot, silentLogger } from "../../src/platform/index.ts";
import { type AwsRig, startAwsRig } from "../support/aws/aws-rig.ts";
import { denied, EXPIRED, THROTTLED } from "../support/aws/faults.ts";
import { makeWorkload, until } from "../support/aws/workloads.ts";
import { createGate } from "../support/scheduler-rig.ts";

let rig: AwsRig;
let queueUrl: string;
let deadLetterQueueUrl: string;
const executors: Executor[] = [];
const events = new Map<Executor, ExecutorEvent[]>();
/** Tries that have ended according to the database. */
const ended = new Set<string>();
let isDatabaseAway = false;

beforeAll(async () => {
  rig = await startAwsRig();
  queueUrl = await rig.createQueue("results");
  deadLetterQueueUrl = await rig.createQueue("dead");
  const handler = join(findPackageRoot(), "tests", "support", "aws", "stand-in-handler.mjs");
  await rig.createFunction({ name: "baram", handler, deadLetterQueueUrl });
  await rig.createFunction({ name: "short", handler, timeoutMs: 1_000, retries: 0, deadLetterQueueUrl });
}, 180_000);
afterAll(() => rig?.stop());
beforeEach(() => {
  rig.faults.clear();
  isDatabaseAway = false;
});
afterEach(async () => {
  await Promise.all(executors.splice(0).map((executor) => executor.end(0)));
});

async function start(own: Partial<LambdaExecutorOptions> = {}): Promise<Executor> {
  const executor: Executor = createLambdaExecutor(
    {
      name: "LambdaExecutor",
      parallelism: 50,
      onEvent: () => void events.get(executor)?.push(...executor.takeEvents()),
      region: null,
      connect: null,
      functionName: "baram",
      qualifier: null,
      queueUrl,
      deadLetterQueueUrl,
      apiUrl: "http://127.0.0.1:1",
      maxInvokeAttempts: 3,
      invokePerSec: 500,
      retryDelayMs: () => 30,
      endWaitMs: 0,
      findEnded: async (ids) => {
        if (isDatabaseAway) throw new Error("the database is away");
        return ids.filter((id) => ended.has(id));
      },
      endedCheckMs: 50,
      checkHealthOnStartup: true,
      ...own,
    },
    silentLogger,
  );
  events.set(executor, []);
  await executor.start();
  executors.push(executor);
  return executor;
}

const told = (executor: Executor, id: string) => (events.get(executor) ?? []).filter((event) => event.id === id);
const event = (executor: Executor, id: string, kind: ExecutorEvent["kind"]) =>
  until(() => told(executor, id).find((one) => one.kind === kind), `${kind} of ${id}`);
const reasonOf = (one: ExecutorEvent) => ("reason" in one ? one.reason : "");
const invocationsOf = (id: string) => rig.lambda.invocations.filter((one) => (one.event as { task_key: string }).task_key === id);
const allFree = (executor: Executor) => until(() => executor.slotsAvailable() === 50, "all places are free");
const emptied = async () => {
  await expect.poll(() => rig.countMessages(queueUrl), { timeout: 5_000 }).toBe(0);
};

test("a workload is one asynchronous invocation with all that the function needs, and its result frees the place", async () => {
  const executor = await start();
  const workload = makeWorkload();
  executor.queue([workload]);
  const launched = await event(executor, workload.ti.id, "launched");
  const [invocation, ...more] = invocationsOf(workload.ti.id);
  expect(more).toEqual([]);
  expect(launched).toMatchObject({ externalExecutorId: invocation?.requestId });
  expect(invocation?.event).toEqual({
    task_key: workload.ti.id,
    workload,
    api_url: "http://127.0.0.1:1",
    queue_url: queueUrl,
    executor_config: {},
  });
  await allFree(executor);
  await emptied();
  expect(told(executor, workload.ti.id).map(({ kind }) => kind)).toEqual(["launched"]);
});

test("40 results are drained and deleted, and what failed to report is lost with its reason", async () => {
  const executor = await start();
  const workloads = Array.from({ length: 40 }, (_, at) =>
    makeWorkload({ executorConfig: at % 10 === 0 ? { mode: "fail" } : {} }),
  );
  executor.queue(workloads);
  await until(
    () => executor.slotsAvailable() === 50 && workloads.every(({ ti }) => told(executor, ti.id).length > 0),
    "all results",
    20_000,
  );
  const lost = workloads.flatMap(({ ti }) => told(executor, ti.id)).filter(({ kind }) => kind === "lost");
  expect(lost.map(reasonOf)).toEqual(Array.from({ length: 4 }, () => "it could not report"));
  await emptied();
});

test("throttles never count, refusals do, and expired credentials are waited out", async () => {
  const executor = await start({ maxInvokeAttempts: 2 });
  const [throttled, forbidden, expired] = [makeWorkload(), makeWorkload(), makeWorkload()];
  rig.faults.next("Invoke", { kind: "error", error: { ...THROTTLED, type: "TooManyRequestsException", status: 429 } }, 2);
  executor.queue([throttled]);
  await event(executor, throttled.ti.id, "launched");
  rig.faults.next("Invoke", { kind: "error", error: { ...denied("lambda:InvokeFunction"), status: 403 } }, 2);
  executor.queue([forbidden]);
  expect(reasonOf(await event(executor, forbidden.ti.id, "refused"))).toMatch(
    /in 2 attempts.*not authorized to perform: lambda:InvokeFunction/,
  );
  rig.faults.next("Invoke", { kind: "error", error: { ...EXPIRED, status: 403 } }, 3);
  executor.queue([expired]);
  await event(executor, expired.ti.id, "launched");
  expect(rig.faults.fired("Invoke")).toBe(7);
  await allFree(executor);
});

test("an invocation under way is not cut off, and made again, where another finds the credentials expired", async () => {
  const executor = await start();
  const [held, expired] = [makeWorkload(), makeWorkload()];
  const gate = createGate();
  rig.faults.next("Invoke", { kind: "hold", gate });
  executor.queue([held]);
  await gate.entered;
  rig.faults.next("Invoke", { kind: "error", error: { ...EXPIRED, status: 403 } });
  executor.queue([expired]);
  await until(() => executor.slotsAvailable() === 0, "AWS cannot be asked");
  gate.open();
  await event(executor, held.ti.id, "launched");
  await event(executor, expired.ti.id, "launched");
  expect(invocationsOf(held.ti.id)).toHaveLength(1);
  await allFree(executor);
  await emptied();
});

test("an event that Lambda gives up comes back by the dead-letter queue as lost, with what Lambda said", async () => {
  const executor = await start();
  const workload = makeWorkload({ executorConfig: { mode: "throw" } });
  executor.queue([workload]);
  expect(reasonOf(await event(executor, workload.ti.id, "lost"))).toBe("Lambda gave the invocation up: Error: the handler broke");
  expect(invocationsOf(workload.ti.id)[0]).toMatchObject({ attempts: 3, state: "dead" });
  await allFree(executor);
  const slow = await start({ functionName: "short" });
  const late = makeWorkload({ executorConfig: { sleepMs: 60_000 } });
  slow.queue([late]);
  expect(reasonOf(await event(slow, late.ti.id, "lost"))).toContain("Task timed out after 1.00 seconds");
});

test("a failure destination's message is understood as a dead letter is", async () => {
  const executor = await start();
  const workload = makeWorkload({ executorConfig: { mode: "silent" } });
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  const wrapped = {
    version: "1.0",
    requestContext: { condition: "RetriesExhausted" },
    requestPayload: { task_key: workload.ti.id },
    responsePayload: { errorMessage: "out of memory" },
  };
  await rig.sendMessage(deadLetterQueueUrl, JSON.stringify(wrapped));
  expect(reasonOf(await event(executor, workload.ti.id, "lost"))).toBe("Lambda gave the invocation up: out of memory");
});

test("a doubled result counts once and both messages are deleted", async () => {
  const executor = await start();
  rig.faults.next("SendMessage", { kind: "double" });
  const [first, second] = [
    makeWorkload({ executorConfig: { mode: "fail" } }),
    makeWorkload({ executorConfig: { sleepMs: 500 } }),
  ];
  executor.queue([first]);
  await event(executor, first.ti.id, "lost");
  // The queue is read as long as an invocation is open.
  executor.queue([second]);
  await allFree(executor);
  expect(rig.faults.fired("SendMessage")).toBe(1);
  expect(
    told(executor, first.ti.id)
      .map(({ kind }) => kind)
      .sort(),
  ).toEqual(["launched", "lost"]);
  await emptied();
});

test("a result that is lost frees its place when the function's time is over, and tells nothing of the try", async () => {
  const executor = await start({ functionName: "short", parallelism: 1 });
  rig.faults.next("SendMessage", { kind: "lose" });
  const workload = makeWorkload();
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  await until(() => rig.faults.fired("SendMessage") === 1, "the result is lost");
  expect(executor.slotsAvailable()).toBe(0);
  // After the function's timeout of a second, and the minute that events and messages may be in transit.
  const later = Date.now() + 62_000;
  const now = Date.now;
  Date.now = () => later;
  try {
    expect(executor.slotsAvailable()).toBe(1);
  } finally {
    Date.now = now;
  }
  expect(told(executor, workload.ti.id).map(({ kind }) => kind)).toEqual(["launched"]);
});

test("a result is handled by whoever receives it: another scheduler's failure is reported, what has ended and what is broken is deleted", async () => {
  const [mine, other] = [await start(), await start()];
  const [theirs, over] = [makeWorkload({ executorConfig: { mode: "silent" } }), makeWorkload()];
  other.queue([theirs]);
  await event(other, theirs.ti.id, "launched");
  ended.add(over.ti.id);
  const own = makeWorkload({ executorConfig: { sleepMs: 1_000 } });
  mine.queue([own]);
  for (const reason of ["of the other", "of the other, again"])
    await rig.sendMessage(queueUrl, JSON.stringify({ task_key: theirs.ti.id, return_code: 1, reason }));
  await rig.sendMessage(queueUrl, JSON.stringify({ task_key: over.ti.id, return_code: 1, reason: "too late" }));
  await rig.sendMessage(queueUrl, "{ no json");
  await rig.sendMessage(queueUrl, JSON.stringify({ task_key: "no id", return_code: 1 }));
  const reports = () => [mine, other].flatMap((one) => told(one, theirs.ti.id)).filter(({ kind }) => kind === "lost");
  await until(() => reports().length > 0, "the failure is reported");
  await emptied();
  expect([mine, other].flatMap((one) => told(one, over.ti.id))).toEqual([]);
  // The other may have received this one's result, too: then the database says that it has ended.
  for (const { ti } of [theirs, own]) ended.add(ti.id);
  await Promise.all([allFree(mine), allFree(other)]);
  expect(
    reports()
      .map(reasonOf)
      .every((reason) => reason.startsWith("of the other")),
  ).toBe(true);
});

test("a slot is free when the database says that the try has ended, also where its result never comes", async () => {
  const executor = await start();
  rig.faults.next("SendMessage", { kind: "lose" });
  const workload = makeWorkload();
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  await until(() => rig.faults.fired("SendMessage") === 1, "the result is lost");
  expect(executor.slotsAvailable()).toBe(49);
  ended.add(workload.ti.id);
  await allFree(executor);
  expect(told(executor, workload.ti.id).map(({ kind }) => kind)).toEqual(["launched"]);
});

test("a failure of an unknown try stays in the queue while the database is away", async () => {
  const executor = await start();
  isDatabaseAway = true;
  const id = randomUUID();
  await rig.sendMessage(queueUrl, JSON.stringify({ task_key: id, return_code: 1, reason: "out of memory" }));
  executor.queue([makeWorkload({ executorConfig: { sleepMs: 4_000 } })]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(told(executor, id)).toEqual([]);
  isDatabaseAway = false;
  expect(reasonOf(await event(executor, id, "lost"))).toBe("out of memory");
});

/** A queue that delivers the oldest first: what is returned to it, or never taken, holds up all that comes later. */
test("40 results that ended before a restart do not slow 40 new tasks", async () => {
  const old = Array.from({ length: 40 }, () => randomUUID());
  for (const id of old) {
    await rig.sendMessage(queueUrl, JSON.stringify({ task_key: id, return_code: 0 }));
    ended.add(id);
  }
  const executor = await start();
  const workloads = Array.from({ length: 40 }, () => makeWorkload());
  executor.queue(workloads);
  await until(
    () => executor.slotsAvailable() === 50 && workloads.every(({ ti }) => told(executor, ti.id).length > 0),
    "all results, which takes 3 s",
    15_000,
  );
  await emptied();
});

test("adopted without a request id it is invoked again, with one it is only waited for; revoked it is dropped; at the end the rest is given back", async () => {
  const executor = await start();
  const [launchedOnce, again] = [makeWorkload({ executorConfig: { mode: "silent" } }), makeWorkload()];
  await executor.adopt([
    { id: launchedOnce.ti.id, externalExecutorId: "a-request", workload: launchedOnce },
    { id: again.ti.id, externalExecutorId: null, workload: again },
  ]);
  await event(executor, again.ti.id, "launched");
  expect(invocationsOf(launchedOnce.ti.id)).toEqual([]);
  expect(invocationsOf(again.ti.id)).toHaveLength(1);
  await until(() => executor.slotsAvailable() === 49, "one is out");
  executor.revoke(launchedOnce.ti.id);
  await allFree(executor);
  rig.faults.next("Invoke", { kind: "error", error: THROTTLED }, 100);
  const waiting = makeWorkload();
  executor.queue([waiting]);
  await until(() => rig.faults.fired("Invoke") > 0, "it is throttled");
  await executor.end(0);
  expect(told(executor, waiting.ti.id).map(({ kind }) => kind)).toEqual(["not_started"]);
});

test("end_wait_timeout lets functions that run tell their results first", async () => {
  const executor = await start({ endWaitMs: 10_000 });
  const workload = makeWorkload({ executorConfig: { sleepMs: 600, mode: "fail" } });
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  await executor.end(0);
  expect(told(executor, workload.ti.id).map(({ kind }) => kind)).toEqual(["launched", "lost"]);
});

test("a function or queue that is not there, or may not be used, is one clear error at start", async () => {
  const refused = (message: RegExp) =>
    expect.objectContaining({ code: "aws_check_failed", message: expect.stringMatching(message) as string });
  await expect(start({ functionName: "nothing" })).rejects.toThrow(refused(/function_name "nothing"/));
  await expect(start({ queueUrl: `${rig.url}/123456789012/nothing` })).rejects.toThrow(refused(/queue_url ".*nothing"/));
  await expect(start({ deadLetterQueueUrl: `${rig.url}/123456789012/nowhere` })).rejects.toThrow(
    refused(/dead_letter_queue_url/),
  );
  rig.faults.next("Invoke", { kind: "error", error: { ...denied("lambda:InvokeFunction"), status: 403 } });
  await expect(start()).rejects.toThrow(refused(/Allow lambda:InvokeFunction/));
  await start({ functionName: "nothing", checkHealthOnStartup: false });
});

test("a connection's keys sign what goes to Lambda and what goes to SQS", async () => {
  const own = connectionSchema.parse({ connId: "aws_prod", connType: "aws", login: "AKIAPROD", password: "secret" });
  const executor = await start({ connect: async () => own });
  const workload = makeWorkload();
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  await allFree(executor);
  for (const action of ["Invoke", "ReceiveMessage"]) expect(rig.signerOf(action), action).toMatch(/^AKIAPROD@/);
});
