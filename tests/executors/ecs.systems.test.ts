import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Connection, connectionSchema, type ExecuteTask } from "../../src/contracts/index.ts";
import { createEcsExecutor, type EcsExecutorOptions, type Executor, type ExecutorEvent } from "../../src/executors/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { type AwsRig, startAwsRig } from "../support/aws/aws-rig.ts";
import { denied, EXPIRED, THROTTLED, UNAVAILABLE } from "../support/aws/faults.ts";
import { makeWorkload, until, withVariables } from "../support/aws/workloads.ts";
import { createGate } from "../support/scheduler-rig.ts";

/** Replaces `baram` in the container; its behaviour depends on MODE. */
const STAND_IN = `
const mode = process.env.MODE ?? "succeed";
if (mode === "show") console.log(JSON.stringify({ argv: process.argv.slice(1), workload: process.env.BARAM_WORKLOAD, extra: process.env.EXTRA }));
if (mode === "fail") process.exit(3);
if (mode === "sleep") { process.on("SIGTERM", () => process.exit(0)); setInterval(() => {}, 1000); }
if (mode === "die-of-sigterm") setInterval(() => {}, 1000);
`;

const NETWORK = { awsvpcConfiguration: { subnets: ["subnet-0a"], assignPublicIp: "DISABLED" } };

let rig: AwsRig;
const executors: Executor[] = [];
const events = new Map<Executor, ExecutorEvent[]>();
/** Tries that have ended according to the database. */
const ended = new Set<string>();

beforeAll(async () => {
  rig = await startAwsRig();
  await rig.createCluster("main");
  await rig.createCluster("other");
  await rig.registerTask("baram", { name: "baram", entryPoint: [process.execPath, "-e", STAND_IN, "--"] });
}, 180_000);
afterAll(() => rig?.stop());
beforeEach(() => {
  rig.faults.clear();
  rig.ecs.hidden.clear();
  rig.ecs.listPageSize = 100;
});
afterEach(async () => {
  await Promise.all(executors.splice(0).map((executor) => executor.end(0)));
  await rig.ecs.close();
  vi.unstubAllEnvs();
});

async function start(own: Partial<EcsExecutorOptions> = {}): Promise<Executor> {
  const executor: Executor = createEcsExecutor(
    {
      name: "EcsExecutor",
      parallelism: 50,
      onEvent: () => void events.get(executor)?.push(...executor.takeEvents()),
      region: null,
      connect: null,
      cluster: "main",
      containerName: "baram",
      taskDefinition: "baram",
      runTaskKwargs: { taskDefinition: "baram", launchType: "FARGATE", networkConfiguration: NETWORK },
      apiUrl: "http://127.0.0.1:1",
      maxRunTaskAttempts: 3,
      runTaskPerSec: 500,
      retryDelayMs: () => 30,
      pollMs: 30,
      missingGraceMs: 200,
      findEnded: async (ids) => ids.filter((id) => ended.has(id)),
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
  until(() => told(executor, id).find((one) => one.kind === kind), `${kind} of ${id}: ${JSON.stringify(told(executor, id))}`);
const reasonOf = (one: ExecutorEvent) => ("reason" in one ? one.reason : "");
const tasksOf = (id: string) => rig.ecs.tasks.filter((task) => task.request.startedBy === id);
const taskOf = (id: string) => {
  const [task, ...more] = tasksOf(id);
  if (!task || more.length > 0) throw new Error(`${more.length + (task ? 1 : 0)} ECS tasks of ${id}`);
  return task;
};

test("a workload runs as one ECS task under the try's id, with the task's own overrides merged in, and its ARN is told", async () => {
  const executor = await start();
  const workload = makeWorkload({
    executorConfig: { ...withVariables({ MODE: "show", EXTRA: "1" }), tags: [{ key: "k", value: "v" }] },
  });
  executor.queue([workload]);
  const launched = await event(executor, workload.ti.id, "launched");
  const task = taskOf(workload.ti.id);
  expect(launched).toMatchObject({ externalExecutorId: task.arn });
  expect(task.request).toMatchObject({
    clientToken: workload.ti.id,
    count: 1,
    launchType: "FARGATE",
    tags: [{ key: "k", value: "v" }],
  });
  await task.stopped;
  const shown = JSON.parse(task.output) as { argv: string[]; workload: string; extra: string };
  expect(shown.argv).toEqual(["worker", "run", "--workload", "env", "--api-url", "http://127.0.0.1:1"]);
  expect(JSON.parse(shown.workload)).toEqual({ ...workload, ti: { ...workload.ti, executorConfig: {} } });
  expect(shown.extra).toBe("1");
  // Outcomes are reported through the API; a task that ended without one is reported lost, which has an effect only if no outcome
  // was reported.
  expect(reasonOf(await event(executor, workload.ti.id, "lost"))).toContain("exit code 0");
  await until(() => executor.slotsAvailable() === 50, "its place is free");
});

test("throttles are waited out and never count as attempts", async () => {
  const executor = await start({ maxRunTaskAttempts: 1 });
  rig.faults.next("RunTask", { kind: "error", error: THROTTLED }, 2);
  const workload = makeWorkload();
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  expect(rig.faults.fired("RunTask")).toBe(2);
  expect(told(executor, workload.ti.id).map(({ kind }) => kind)).not.toContain("refused");
});

test("want of capacity and refusals count as attempts, and the last one's words are the reason", async () => {
  const executor = await start();
  const [early, late, forbidden] = [makeWorkload(), makeWorkload(), makeWorkload()];
  const noRoom = {
    tasks: [],
    failures: [{ arn: "arn:aws:ecs:us-east-1:123456789012:container-instance/1", reason: "RESOURCE:MEMORY" }],
  };
  rig.faults.next("RunTask", { kind: "answer", body: noRoom }, 2);
  executor.queue([early]);
  await event(executor, early.ti.id, "launched");
  rig.faults.next(
    "RunTask",
    {
      kind: "answer",
      body: { tasks: [], failures: [{ reason: "Capacity is unavailable at this time. Please try again later" }] },
    },
    3,
  );
  executor.queue([late]);
  expect(reasonOf(await event(executor, late.ti.id, "refused"))).toMatch(/in 3 attempts.*Capacity is unavailable at this time/);
  rig.faults.next("RunTask", { kind: "error", error: denied("ecs:RunTask") }, 3);
  executor.queue([forbidden]);
  expect(reasonOf(await event(executor, forbidden.ti.id, "refused"))).toContain("AccessDeniedException: User: arn:aws:sts");
  expect(rig.faults.fired("RunTask")).toBe(8);
  expect([...tasksOf(late.ti.id), ...tasksOf(forbidden.ti.id)]).toEqual([]);
});

test("with expired credentials, or AWS away, nothing is launched and nothing is lost, however long it lasts", async () => {
  const executor = await start({ maxRunTaskAttempts: 1 });
  rig.faults.next("RunTask", { kind: "error", error: EXPIRED }, 4);
  rig.faults.next("RunTask", { kind: "error", error: UNAVAILABLE }, 4);
  const workloads = [makeWorkload(), makeWorkload()];
  executor.queue(workloads);
  await until(() => rig.faults.fired("RunTask") > 1, "the fault fired");
  expect(executor.slotsAvailable()).toBe(0);
  for (const { ti } of workloads) await event(executor, ti.id, "launched");
  expect(rig.faults.fired("RunTask")).toBe(8);
  await until(() => executor.slotsAvailable() > 0, "it is healthy again");
});

test("a RunTask whose answer is lost is asked again and finds its own task", async () => {
  const executor = await start();
  rig.faults.next("RunTask", { kind: "cut" });
  const workload = makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) });
  executor.queue([workload]);
  const launched = await event(executor, workload.ti.id, "launched");
  expect(rig.faults.fired("RunTask")).toBe(1);
  expect(launched).toMatchObject({ externalExecutorId: taskOf(workload.ti.id).arn });
});

test("a scheduler that dies between launch and record: its heir launches under the same key and gets the same task", async () => {
  const dead = await start();
  const gate = createGate();
  rig.faults.next("RunTask", { kind: "hold", gate });
  const workload = makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) });
  dead.queue([workload]);
  await gate.entered;
  expect(told(dead, workload.ti.id)).toEqual([]);
  const heir = await start();
  // The other scheduler's workload has another token, so its request differs, and AWS answers with a conflict that names the
  // task.
  const anew = { ...workload, token: "another-token" };
  expect(await heir.adopt([{ id: workload.ti.id, externalExecutorId: null, workload: anew }])).toEqual([workload.ti.id]);
  const launched = await event(heir, workload.ti.id, "launched");
  expect(launched).toMatchObject({ externalExecutorId: taskOf(workload.ti.id).arn });
  expect(await heir.adopt([{ id: workload.ti.id, externalExecutorId: null, workload: anew }])).toEqual([workload.ti.id]);
  gate.open();
  await event(dead, workload.ti.id, "launched");
  rig.ecs.kill(taskOf(workload.ti.id));
  expect(reasonOf(await event(heir, workload.ti.id, "lost"))).toMatch(/exit code 137 \(SIGKILL/);
  expect(tasksOf(workload.ti.id)).toHaveLength(1);
});

test("an heir watches what was launched, finds the task of a running try whose ARN was never stored, and tells what ECS has forgotten", async () => {
  const dead = await start();
  const [known, unknown] = [
    makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) }),
    makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) }),
  ];
  dead.queue([known, unknown]);
  const { arn } = await event(dead, known.ti.id, "launched").then(() => taskOf(known.ti.id));
  await event(dead, unknown.ti.id, "launched");
  const heir = await start();
  const gone = "arn:aws:ecs:us-east-1:123456789012:task/main/0123456789abcdef0123456789abcdef";
  const forgotten = makeWorkload();
  const kept = await heir.adopt([
    { id: known.ti.id, externalExecutorId: arn, workload: null },
    { id: unknown.ti.id, externalExecutorId: null, workload: null },
    { id: forgotten.ti.id, externalExecutorId: gone, workload: forgotten },
  ]);
  expect(kept).toHaveLength(3);
  expect(await event(heir, unknown.ti.id, "launched")).toMatchObject({ externalExecutorId: taskOf(unknown.ti.id).arn });
  expect(reasonOf(await event(heir, forgotten.ti.id, "missing"))).toContain(`does not know the task ${gone}: MISSING`);
  rig.ecs.kill(taskOf(known.ti.id));
  rig.ecs.kill(taskOf(unknown.ti.id));
  await event(heir, known.ti.id, "lost");
  await event(heir, unknown.ti.id, "lost");
});

test("tasks of a cluster that the option no longer names are watched and stopped there, and an ARN that ECS refuses hides no other", async () => {
  const before = await start({ cluster: "other" });
  const [ends, stops, stays] = Array.from({ length: 3 }, () =>
    makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) }),
  ) as [ExecuteTask, ExecuteTask, ExecuteTask];
  before.queue([ends, stops]);
  for (const { ti } of [ends, stops]) await event(before, ti.id, "launched");
  const executor = await start();
  executor.queue([stays]);
  await event(executor, stays.ti.id, "launched");
  const bad = [
    "arn:aws:ecs:us-east-1:123456789012:task/main/of-no-form",
    "arn:aws:ecs:us-east-1:123456789012:task/deleted/0123456789abcdef0123456789abcdef",
    "arn:aws:ecs:us-east-1:123456789012:task/fedcba9876543210fedcba9876543210",
  ].map((arn) => ({ id: randomUUID(), externalExecutorId: arn, workload: null }));
  await executor.adopt([
    ...bad,
    ...[ends, stops].map(({ ti }) => ({ id: ti.id, externalExecutorId: taskOf(ti.id).arn, workload: null })),
  ]);
  rig.ecs.kill(taskOf(ends.ti.id));
  expect(reasonOf(await event(executor, ends.ti.id, "lost"))).toContain("exit code 137");
  executor.revoke(stops.ti.id);
  await taskOf(stops.ti.id).stopped;
  expect(taskOf(stops.ti.id).stopCode).toBe("UserInitiated");
  const reasons: string[] = [];
  for (const { id } of bad) reasons.push(reasonOf(await event(executor, id, "missing")));
  expect(reasons).toEqual([
    expect.stringMatching(/refuses to describe the task .*of-no-form: InvalidParameterException: taskId length/),
    expect.stringMatching(/refuses to describe the task .*: ClusterNotFoundException/),
    expect.stringMatching(/does not know the task .*task\/fedcba.*: MISSING/),
  ]);
  rig.ecs.kill(taskOf(stays.ti.id));
  await event(executor, stays.ti.id, "lost");
  // The places of those that ECS cannot tell of are free when their tries have ended.
  for (const { id } of bad) ended.add(id);
  await until(() => executor.slotsAvailable() === 50, "all places are free");
});

test("one MISSING of an old task means nothing; a long one is told once, and ends nothing as long as the try goes on", async () => {
  const executor = await start();
  const workload = makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) });
  const { id } = workload.ti;
  executor.queue([workload]);
  await event(executor, id, "launched");
  const task = taskOf(id);
  // Older than the grace.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const asked = rig.requests("DescribeTasks");
  rig.ecs.hidden.add(task);
  await until(() => rig.requests("DescribeTasks") > asked + 1, "it was missing");
  rig.ecs.hidden.clear();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(told(executor, id).map(({ kind }) => kind)).toEqual(["launched"]);
  rig.ecs.hidden.add(task);
  expect(reasonOf(await event(executor, id, "missing"))).toMatch(/ECS does not know the task arn:.*: MISSING \(asked for/);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(told(executor, id).map(({ kind }) => kind)).toEqual(["launched", "missing"]);
  expect(task.lastStatus).toBe("RUNNING");
  expect(executor.slotsAvailable()).toBe(49);
  rig.ecs.hidden.clear();
  rig.ecs.kill(task);
  expect(reasonOf(await event(executor, id, "lost"))).toContain("exit code 137");
});

test("a missing task whose try has ended is stopped, and one that cannot be stopped holds up no other", async () => {
  const executor = await start();
  const workloads = Array.from({ length: 2 }, () => makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) }));
  executor.queue(workloads);
  for (const { ti } of workloads) await event(executor, ti.id, "launched");
  for (const { ti } of workloads) rig.ecs.hidden.add(taskOf(ti.id));
  for (const { ti } of workloads) await event(executor, ti.id, "missing");
  rig.faults.next("StopTask", { kind: "error", error: denied("ecs:StopTask") });
  for (const { ti } of workloads) ended.add(ti.id);
  await until(() => executor.slotsAvailable() === 50, "both places are free");
  expect(rig.faults.fired("StopTask")).toBe(1);
  const reasons = workloads.map(({ ti }) => taskOf(ti.id).stoppedReason);
  expect(reasons.sort()).toEqual([expect.stringContaining("gave the try up"), null]);
});

test("the task of a running try whose ARN was never stored is found on a later page, after requests that failed", async () => {
  const dead = await start();
  const workloads = Array.from({ length: 5 }, () => makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) }));
  dead.queue(workloads);
  for (const { ti } of workloads) await event(dead, ti.id, "launched");
  const [, , , , last] = workloads as [ExecuteTask, ExecuteTask, ExecuteTask, ExecuteTask, ExecuteTask];
  const heir = await start();
  rig.ecs.listPageSize = 1;
  rig.faults.next("ListTasks", { kind: "error", error: UNAVAILABLE });
  await heir.adopt([{ id: last.ti.id, externalExecutorId: null, workload: null }]);
  expect(await event(heir, last.ti.id, "launched")).toMatchObject({ externalExecutorId: taskOf(last.ti.id).arn });
  expect(rig.faults.fired("ListTasks")).toBe(1);
  // Without the permission, its heartbeats are all there is, and it takes no place.
  rig.faults.next("ListTasks", { kind: "error", error: denied("ecs:ListTasks") });
  await heir.adopt([{ id: randomUUID(), externalExecutorId: null, workload: null }]);
  await until(() => rig.faults.fired("ListTasks") === 2 && heir.slotsAvailable() === 49, "the search is over");
});

test("a container that fails is not run again from here, and its exit code is the reason", async () => {
  const executor = await start();
  const workload = makeWorkload({ executorConfig: withVariables({ MODE: "fail" }) });
  executor.queue([workload]);
  expect(reasonOf(await event(executor, workload.ti.id, "lost"))).toMatch(/EssentialContainerExited; .*exit code 3/);
  expect(tasksOf(workload.ti.id)).toHaveLength(1);
});

test("a task that dies before its container runs goes back, as often as there are attempts, and then the try is refused", async () => {
  const executor = await start({ maxRunTaskAttempts: 3 });
  rig.ecs.dieAtStart(3, "CannotPullContainerError: pull image manifest has been retried 5 time(s): no such image");
  const first = makeWorkload();
  const kinds: string[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    // A try that was given back is queued again under a new id.
    const again = makeWorkload({ ...first.ti, id: makeWorkload().ti.id });
    executor.queue([again]);
    const end = await until(() => told(executor, again.ti.id).find(({ kind }) => kind !== "launched"), "its end");
    kinds.push(end.kind);
    expect(reasonOf(end)).toContain("CannotPullContainerError: pull image");
  }
  expect(kinds).toEqual(["not_started", "not_started", "refused"]);
});

test("a Spot interruption is told as what it is where the worker did not report in time", async () => {
  const executor = await start();
  const workload = makeWorkload({ executorConfig: withVariables({ MODE: "die-of-sigterm" }) });
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  const task = taskOf(workload.ti.id);
  await until(() => task.lastStatus === "RUNNING", "it runs");
  rig.ecs.interruptSpot(task);
  expect(reasonOf(await event(executor, workload.ti.id, "lost"))).toMatch(
    /AWS took its Spot capacity back \(SpotInterruption\).*exit code 143/,
  );
});

test("revoked: what waits is dropped, what runs is stopped, and what is being launched is stopped when its ARN is known", async () => {
  const executor = await start();
  const running = makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) });
  executor.queue([running]);
  await event(executor, running.ti.id, "launched");
  executor.revoke(running.ti.id);
  await taskOf(running.ti.id).stopped;
  expect(taskOf(running.ti.id)).toMatchObject({ stopCode: "UserInitiated", stoppedReason: "Baram took the try back" });
  const gate = createGate();
  rig.faults.next("RunTask", { kind: "hold", gate });
  const launching = makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) });
  executor.queue([launching]);
  await gate.entered;
  executor.revoke(launching.ti.id);
  gate.open();
  await until(() => tasksOf(launching.ti.id)[0]?.stopCode === "UserInitiated", "it is stopped");
  await until(() => executor.slotsAvailable() === 50, "both places are free");
  rig.faults.next("RunTask", { kind: "error", error: denied("ecs:RunTask") });
  const waiting = makeWorkload();
  const slow = await start({ retryDelayMs: () => 60_000 });
  slow.queue([waiting]);
  await until(() => rig.faults.fired("RunTask") === 2, "its first attempt failed");
  await until(() => slow.slotsAvailable() === 49, "it waits for its second");
  slow.revoke(waiting.ti.id);
  expect(slow.slotsAvailable()).toBe(50);
  expect(
    [running, launching, waiting].flatMap(({ ti }) => [...told(executor, ti.id), ...told(slow, ti.id)]).map(({ kind }) => kind),
  ).toEqual(["launched"]);
});

test("at its end it gives back what is not launched, and what ECS has goes on", async () => {
  const executor = await start({ runTaskPerSec: 1 });
  const first = makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) });
  executor.queue([first]);
  await event(executor, first.ti.id, "launched");
  const rest = [makeWorkload(), makeWorkload()];
  executor.queue(rest);
  expect(executor.slotsAvailable()).toBe(47);
  await executor.end(0);
  for (const { ti } of rest) expect(told(executor, ti.id).map(({ kind }) => kind)).toEqual(["not_started"]);
  expect(executor.slotsAvailable()).toBe(0);
  expect(taskOf(first.ti.id).lastStatus).not.toBe("STOPPED");
  await expect(executor.adopt([])).rejects.toThrow("not running here");
});

test("250 tasks in flight are asked for in batches of 100, and an answer that fails is asked for again", async () => {
  const executor = await start({ parallelism: 250, pollMs: 100 });
  rig.ecs.startDelayMs = 60_000;
  try {
    const workloads = Array.from({ length: 250 }, () => makeWorkload());
    executor.queue(workloads);
    for (const { ti } of workloads) await event(executor, ti.id, "launched");
    const before = rig.requests("DescribeTasks");
    rig.faults.next("DescribeTasks", { kind: "error", error: THROTTLED });
    await until(() => rig.requests("DescribeTasks") >= before + 4, "a look at all, after one that was throttled");
    expect(rig.faults.fired("DescribeTasks")).toBe(1);
    for (const { ti } of workloads) rig.ecs.stop(taskOf(ti.id), "TaskFailedToStart", "no network interface");
    for (const { ti } of workloads) await event(executor, ti.id, "not_started");
    expect(executor.slotsAvailable()).toBe(250);
  } finally {
    rig.ecs.startDelayMs = 20;
  }
});

test.each([
  ["a cluster that is not there", { cluster: "nowhere" }, /cluster "nowhere": there is no such active cluster/],
  ["a task definition that is not there", { taskDefinition: "nothing" }, /task_definition "nothing"/],
  ["a container that is not in it", { containerName: "web" }, /has no container "web".*container_name to one of baram/],
])("%s is one clear error at start", async (_what, own, message) => {
  await expect(start(own)).rejects.toThrow(
    expect.objectContaining({ code: "aws_check_failed", message: expect.stringMatching(message) as string }),
  );
});

const NECESSARY = ["RunTask", "DescribeTasks", "StopTask", "PassRole"];

test("four permissions are enough for a start, a whole run and a stop", async () => {
  rig.faults.allowedActions = NECESSARY;
  // Without ecs:DescribeClusters, the launch type is Fargate.
  const executor = await start({ runTaskKwargs: { taskDefinition: "baram", networkConfiguration: NETWORK } });
  const [runs, stops] = [makeWorkload(), makeWorkload({ executorConfig: withVariables({ MODE: "sleep" }) })];
  executor.queue([runs, stops]);
  expect(reasonOf(await event(executor, runs.ti.id, "lost"))).toContain("exit code 0");
  expect(taskOf(runs.ti.id).request.launchType).toBe("FARGATE");
  await event(executor, stops.ti.id, "launched");
  executor.revoke(stops.ti.id);
  await until(() => executor.slotsAvailable() === 50, "both places are free");
});

test.each(["DescribeTasks", "StopTask"])("without %s, the start ends and names it", async (lacking) => {
  rig.faults.allowedActions = NECESSARY.filter((action) => action !== lacking);
  await expect(start()).rejects.toThrow(new RegExp(`Allow ecs:${lacking} to the scheduler's role \\(docs/executors/ecs.md\\)`));
});

test.each(["RunTask", "PassRole"])(
  "without %s, which cannot be tried without a launch, the try's reason names it",
  async (lacking) => {
    rig.faults.allowedActions = NECESSARY.filter((action) => action !== lacking);
    const executor = await start({ maxRunTaskAttempts: 1 });
    const workload = makeWorkload();
    executor.queue([workload]);
    expect(reasonOf(await event(executor, workload.ti.id, "refused"))).toMatch(
      new RegExp(`not authorized to perform: \\w+:${lacking}`),
    );
  },
);

test("Fargate without subnets is one clear error at start, also where it is only the default", async () => {
  const refused = expect.objectContaining({
    code: "config_invalid",
    message: expect.stringMatching(/\[ecs_executor\] subnets is not set.*BARAM__ECS_EXECUTOR__SUBNETS/) as string,
  });
  await expect(start({ runTaskKwargs: { taskDefinition: "baram", launchType: "FARGATE" } })).rejects.toThrow(refused);
  await expect(start({ runTaskKwargs: { taskDefinition: "baram" } })).rejects.toThrow(refused);
  await start({ runTaskKwargs: { taskDefinition: "baram", launchType: "EC2" } });
});

test("a missing permission and expired credentials are clear errors at start, and a start that does not ask goes on", async () => {
  rig.faults.next("DescribeTasks", { kind: "error", error: denied("ecs:DescribeTasks") });
  await expect(start()).rejects.toThrow(/is not authorized to perform: ecs:DescribeTasks.*Allow ecs:DescribeTasks/);
  rig.faults.next("DescribeTasks", { kind: "error", error: EXPIRED });
  await expect(start()).rejects.toThrow(/Give the scheduler credentials/);
  await start({ cluster: "nowhere", checkHealthOnStartup: false });
});

test("a connection's keys, region and endpoint are used, and asked for anew when AWS refuses them", async () => {
  const connection = (login: string, extra: Connection["extra"] = {}): Connection =>
    connectionSchema.parse({ connId: "aws_prod", connType: "aws", login, password: "secret", extra });
  let current = connection("AKIAFIRST", { region_name: "us-east-1", endpoint_url: rig.url });
  const connect = vi.fn(async () => current);
  vi.stubEnv("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
  vi.stubEnv("AWS_REGION", "eu-west-3");
  const executor = await start({ connect });
  const [first, second] = [makeWorkload(), makeWorkload()];
  executor.queue([first]);
  await event(executor, first.ti.id, "launched");
  expect(rig.signerOf("RunTask")).toBe("AKIAFIRST@us-east-1");
  current = connection("AKIASECOND", { region_name: "us-east-1", endpoint_url: rig.url });
  rig.faults.next("RunTask", { kind: "error", error: EXPIRED });
  executor.queue([second]);
  await event(executor, second.ti.id, "launched");
  expect(rig.signerOf("RunTask")).toBe("AKIASECOND@us-east-1");
  expect(connect).toHaveBeenCalledTimes(2);
});

test("keys that cannot be read anew leave the old ones in use; a role cannot be assumed", async () => {
  const role = connectionSchema.parse({ connId: "aws_prod", connType: "aws", extra: { role_arn: "arn:aws:iam::1:role/x" } });
  await expect(start({ connect: async () => role })).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining('Connection "aws_prod" names a role_arn') as string,
  });
  let isAway = false;
  const own = connectionSchema.parse({ connId: "aws_prod", connType: "aws", login: "AKIAOLD", password: "secret" });
  const executor = await start({
    connect: async () => {
      if (isAway) throw new Error("the database is away");
      return own;
    },
  });
  isAway = true;
  rig.faults.next("RunTask", { kind: "error", error: EXPIRED });
  const workload = makeWorkload();
  executor.queue([workload]);
  await event(executor, workload.ti.id, "launched");
  expect(rig.faults.fired("RunTask")).toBe(1);
  expect(rig.signerOf("RunTask")).toMatch(/^AKIAOLD@/);
});
