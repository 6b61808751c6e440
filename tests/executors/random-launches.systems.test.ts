/**
 * A thousand launches by each executor of AWS, while requests fail in every way that the rig knows, at random. A referee plays the
 * scheduler and the API: it lets each try start once, queues again what an executor says has not started, and restarts the executor
 * in between. BARAM_SEED repeats the choices of an earlier run, BARAM_RUNS changes the number of launches.
 */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ExecuteTask } from "../../src/contracts/index.ts";
import { createEcsExecutor, createLambdaExecutor, type Executor, type ExecutorOptions } from "../../src/executors/index.ts";
import { silentLogger, sleep } from "../../src/platform/index.ts";
import { createRandom, type Random } from "../chaos/random.ts";
import { type AwsRig, startAwsRig } from "../support/aws/aws-rig.ts";
import { denied, EXPIRED, type Fault, THROTTLED, UNAVAILABLE } from "../support/aws/faults.ts";
import { makeWorkload } from "../support/aws/workloads.ts";

const SEED = Number(process.env.BARAM_SEED ?? Math.floor(Date.now() / 1_000) % 1_000_000);
const COUNT = Number(process.env.BARAM_RUNS ?? 1_000);
const TURN_MS = 20;
/** Denials count as attempts: so many in a row are no matter of chance. */
const ATTEMPTS = 50;
const TIMES = {
  retryDelayMs: () => 20,
  outagePauseMs: () => 50,
  tellEveryMs: 1_000,
  settleMs: 500,
  region: null,
  connect: null,
  apiUrl: "http://127.0.0.1:1",
  checkHealthOnStartup: false,
};

let rig: AwsRig;
beforeAll(async () => {
  rig = await startAwsRig();
  await rig.createCluster("main");
  await rig.registerTask("baram", { name: "baram", entryPoint: ["/bin/sh", "-c", "sleep 0.1", "--"] });
}, 180_000);
afterAll(() => rig?.stop());

type Try = { workload: ExecuteTask; state: "queued" | "handed" | "started" | "done" | "refused"; externalId: string | null };
/** What the world outside shows of a worker. */
type Worker = { name: string; id: string; hasStarted: boolean; hasEnded: boolean };
type World = {
  parallelism: number;
  make(options: ExecutorOptions, findEnded: (ids: readonly string[]) => Promise<string[]>): Executor;
  workers(): Worker[];
  /** Injects one fault. */
  harm(random: Random): void;
};

async function play(world: World, random: Random) {
  const tries: Try[] = Array.from({ length: COUNT }, () => ({ workload: makeWorkload(), state: "queued", externalId: null }));
  const byId = new Map(tries.map((one) => [one.workload.ti.id, one]));
  const seen = new Map<string, "started" | "stale" | "ended">();
  const faults: string[] = [];
  const counts = { staleStarts: 0, requeued: 0, restarts: 0, waits: 0 };
  const isOpen = (id: string) => byId.has(id) && byId.get(id)?.state !== "done";
  const start = async (): Promise<Executor> => {
    const executor = world.make({ name: "AwsExecutor", parallelism: world.parallelism, onEvent: () => {} }, async (ids) =>
      ids.filter((id) => !isOpen(id)),
    );
    await executor.start();
    return executor;
  };

  /** Under a new id, as the scheduler does: what was launched under the old one is refused its start. */
  function requeue(one: Try): void {
    byId.delete(one.workload.ti.id);
    one.workload = { ...one.workload, ti: { ...one.workload.ti, id: randomUUID() } };
    byId.set(one.workload.ti.id, one);
    one.state = "queued";
    one.externalId = null;
    counts.requeued++;
  }

  function heed(executor: Executor): void {
    for (const event of executor.takeEvents()) {
      const one = byId.get(event.id);
      if (!one || one.state === "done" || one.state === "queued") continue;
      if (event.kind === "launched") one.externalId = event.externalExecutorId;
      else if (event.kind === "waiting") counts.waits++;
      else if (one.state === "started") {
        // A try that is heard of is judged by its heartbeats; only a worker that has ended can be lost.
        if (event.kind === "lost" || event.kind === "not_started") faults.push(`${event.kind}, but it runs: ${event.reason}`);
      } else if (event.kind === "refused") {
        one.state = "refused";
        faults.push(`refused: ${event.reason}`);
      } else requeue(one);
    }
  }

  function look(): void {
    for (const { name, id, hasStarted, hasEnded } of world.workers()) {
      const one = byId.get(id);
      if (hasStarted && !seen.has(name)) {
        const isAccepted = one?.state === "handed";
        seen.set(name, isAccepted ? "started" : "stale");
        if (isAccepted && one) one.state = "started";
        else counts.staleStarts++;
      }
      if (!hasEnded || seen.get(name) !== "started") continue;
      seen.set(name, "ended");
      if (one) one.state = "done";
    }
  }

  let executor = await start();
  const deadline = Date.now() + 400_000;
  const isPlaying = () => tries.some(({ state }) => state !== "done" && state !== "refused");
  for (let turn = 1; isPlaying(); turn++) {
    if (Date.now() > deadline)
      throw new Error(`not done in time: ${JSON.stringify(tries.filter((one) => isOpen(one.workload.ti.id)).slice(0, 5))}`);
    if (random.chance(0.15)) world.harm(random);
    look();
    heed(executor);
    const free = executor.slotsAvailable();
    const next = tries.filter(({ state }) => state === "queued").slice(0, Math.max(0, free));
    for (const one of next) one.state = "handed";
    if (next.length > 0) executor.queue(next.map(({ workload }) => workload));
    if (turn % 60 === 0) {
      await executor.end(0);
      look();
      heed(executor);
      executor = await start();
      counts.restarts++;
      const orphans = tries.filter(({ state }) => state === "handed" || state === "started");
      const kept = new Set(
        await executor.adopt(
          orphans.map(({ workload, state, externalId }) => ({
            id: workload.ti.id,
            externalExecutorId: externalId,
            workload: state === "handed" ? workload : null,
          })),
        ),
      );
      for (const one of orphans) if (one.state === "handed" && !kept.has(one.workload.ti.id)) requeue(one);
    }
    await sleep(TURN_MS);
  }
  rig.faults.clear();
  for (let waited = 0; executor.slotsAvailable() < world.parallelism && waited < 30_000; waited += 50) await sleep(50);
  const free = executor.slotsAvailable();
  await executor.end(0);
  return { faults, counts, free };
}

const COMMON: readonly Fault[] = [
  { kind: "error", error: THROTTLED },
  { kind: "error", error: EXPIRED },
  { kind: "error", error: UNAVAILABLE },
  { kind: "cut" },
  { kind: "truncate" },
];

/** The answer comes late, as from a slow network. */
function late(ms: number): Fault {
  const opened = sleep(ms);
  return { kind: "hold", gate: { pass: () => opened } };
}

function inject(random: Random, actions: Readonly<Record<string, readonly Fault[]>>): string {
  const action = random.pick(Object.keys(actions));
  rig.faults.next(action, random.pick([...COMMON, late(random.between(50, 400)), ...(actions[action] ?? [])]));
  return action;
}

test(`${COUNT} launches of ECS tasks under random faults: each runs once, none is refused, and all places are free after it (BARAM_SEED=${SEED})`, async () => {
  const none = { kind: "answer", body: { tasks: [], failures: [{ reason: "RESOURCE:MEMORY" }] } } as const;
  const world: World = {
    parallelism: 40,
    make: (options, findEnded) =>
      createEcsExecutor(
        {
          ...options,
          ...TIMES,
          findEnded,
          cluster: "main",
          containerName: "baram",
          taskDefinition: "baram",
          runTaskKwargs: {
            taskDefinition: "baram",
            launchType: "FARGATE",
            networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-0a"] } },
          },
          maxRunTaskAttempts: ATTEMPTS,
          runTaskPerSec: 200,
          capacityWaitMs: 60_000,
          pollMs: 50,
          missingGraceMs: 400,
        },
        silentLogger,
      ),
    workers: () =>
      rig.ecs.tasks.map((task) => ({
        name: task.arn,
        id: String(task.request.startedBy),
        hasStarted: task.startedAt !== null,
        hasEnded: task.lastStatus === "STOPPED" && task.exitCode !== null,
      })),
    harm(random) {
      inject(random, {
        RunTask: [{ kind: "error", error: denied("ecs:RunTask") }, ...(random.chance(0.1) ? [none] : [])],
        DescribeTasks: [],
        ListTasks: [{ kind: "error", error: denied("ecs:ListTasks") }],
        StopTask: [],
      });
      if (random.chance(0.05)) rig.ecs.dieAtStart(1, "CannotPullContainerError: pull image manifest has been retried 1 time(s)");
      const running = rig.ecs.tasks.filter(({ lastStatus }) => lastStatus === "RUNNING");
      if (running.length === 0 || !random.chance(0.1)) return;
      const hidden = random.pick(running);
      rig.ecs.hidden.add(hidden);
      setTimeout(() => rig.ecs.hidden.delete(hidden), random.between(50, 800)).unref();
    },
  };
  const { faults, counts, free } = await play(world, createRandom(SEED).fork("ecs"));
  expect(faults).toEqual([]);
  expect(free).toBe(world.parallelism);
  const ofEach = new Map<string, number>();
  for (const { request } of rig.ecs.tasks)
    ofEach.set(String(request.startedBy), (ofEach.get(String(request.startedBy)) ?? 0) + 1);
  expect(
    [...ofEach.values()].filter((n) => n > 1),
    "ECS tasks of one launch key",
  ).toEqual([]);
  expect(counts.restarts).toBeGreaterThan(0);
  console.log(`ECS: seed ${SEED}, ${rig.ecs.tasks.length} tasks for ${COUNT} tries, ${JSON.stringify(counts)}`);
}, 500_000);

test(`${COUNT} invocations of a Lambda function under random faults: each runs once, none is refused, and all places are free after it (BARAM_SEED=${SEED})`, async () => {
  const queueUrl = await rig.createQueue("results");
  const deadLetterQueueUrl = await rig.createQueue("dead");
  const handler = fileURLToPath(new URL("../support/aws/stand-in-handler.mjs", import.meta.url));
  await rig.createFunction({ name: "baram", handler, deadLetterQueueUrl, timeoutMs: 10_000 });
  const world: World = {
    parallelism: 12,
    make: (options, findEnded) =>
      createLambdaExecutor(
        {
          ...options,
          ...TIMES,
          findEnded,
          functionName: "baram",
          qualifier: null,
          queueUrl,
          deadLetterQueueUrl,
          maxInvokeAttempts: ATTEMPTS,
          invokePerSec: 200,
          endWaitMs: 0,
          endedCheckMs: 200,
        },
        silentLogger,
      ),
    workers: () =>
      rig.lambda.invocations.map((one) => ({
        name: one.requestId,
        id: (one.event as { task_key: string }).task_key,
        hasStarted: one.state !== "waiting",
        hasEnded: one.state === "done",
      })),
    harm(random) {
      inject(random, {
        Invoke: [{ kind: "error", error: denied("lambda:InvokeFunction") }],
        ReceiveMessage: [],
        DeleteMessageBatch: [],
        SendMessage: [{ kind: "lose" }, { kind: "double" }],
      });
      const running = rig.lambda.invocations.filter(({ state }) => state === "running");
      if (running.length > 0 && random.chance(0.05)) rig.lambda.deliverAgain(random.pick(running));
    },
  };
  const { faults, counts, free } = await play(world, createRandom(SEED).fork("lambda"));
  expect(faults).toEqual([]);
  expect(free).toBe(world.parallelism);
  expect(counts.restarts).toBeGreaterThan(0);
  console.log(`Lambda: seed ${SEED}, ${rig.lambda.invocations.length} invocations for ${COUNT} tries, ${JSON.stringify(counts)}`);
}, 500_000);
