/** The complete queue executor: a scheduler, both brokers, and workers in separate processes that share nothing with it. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJwtSecret } from "../../src/config/index.ts";
import { openBroker } from "../../src/executors/queue/index.ts";
import { brokerOptions } from "../../src/main/executors/queue.ts";
import { createTokens, silentLogger, sleep } from "../../src/platform/index.ts";
import { listWorkers, requestWorkerChanges, type WorkerChanges } from "../../src/store/index.ts";
import { type BrokerServer, startBroker } from "../support/brokers.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { childrenOf, type QueueWorkerProcess, queueEnvironment, startQueueWorker } from "../support/queue-workers.ts";

/**
 * Every task records its steps with the process id of its supervisor; appended lines are never partial. Gates are files that
 * tasks wait for.
 */
function dagFile(trace: string): string {
  const gated = ["drain", "hasty", "lost", "again"].map(
    (
      queue,
    ) => `dag({ dagId: "${queue}", schedule: null, defaultArgs: { queue: "${queue}", retries: 1, retryDelay: { seconds: 0.1 } } }, () => {
  task({ taskId: "t" }, async (ctx) => { say(ctx.ti.runId + " " + ctx.ti.tryNumber); await untilFile(ctx.params.gate); })();
});`,
  );
  return `
import { appendFileSync, existsSync } from "node:fs";
import { dag, task } from "baram";
const say = (what) => appendFileSync(${JSON.stringify(trace)}, what + " " + process.ppid + "\\n");
const untilFile = async (path) => { while (!existsSync(path)) await new Promise((r) => setTimeout(r, 20)); };
dag({ dagId: "outcomes", schedule: null, defaultArgs: { retryDelay: { seconds: 0.1 } } }, () => {
  task({ taskId: "good" }, async () => 1)();
  task({ taskId: "bad" }, async () => { throw new Error("it fails"); })();
  task({ taskId: "again", retries: 1 }, async (ctx) => { if (ctx.ti.tryNumber === 1) throw new Error("once"); return 2; })();
});
dag({ dagId: "two_queues", schedule: null }, () => {
  task({ taskId: "here" }, async () => say("here"))();
  task({ taskId: "there", queue: "heavy" }, async () => say("there"))();
});
${gated.join("\n")}
dag({ dagId: "frozen", schedule: null, defaultArgs: { queue: "frozen" } }, () => {
  for (let at = 0; at < 6; at++) task({ taskId: "f" + at }, async (ctx) => say("frozen " + ctx.ti.runId + " " + ctx.ti.taskId))();
});
dag({ dagId: "wide", schedule: null, defaultArgs: { queue: "wide" } }, () => {
  for (let at = 0; at < 6; at++) task({ taskId: "w" + at }, async (ctx) => untilFile(ctx.params.gate))();
});
dag({ dagId: "unserved", schedule: null }, () => { task({ taskId: "waits", queue: "nobody" }, async () => say("served"))(); });
`;
}

/** For these tests the broker makes no difference, so they run with one. */
const only = (kind: string) => test.runIf(kind === "redis");

describe.each(["redis", "rabbitmq"] as const)("over %s", (kind) => {
  const atOne = only(kind);
  let broker: BrokerServer;
  let engine: Engine;
  let environment: Record<string, string>;
  const workers: QueueWorkerProcess[] = [];
  let trace = "";
  let gates = 0;

  const startWorker = async (name: string, ...args: string[]) => {
    const worker = await startQueueWorker({ config: engine.config, apiUrl: engine.apiUrl, environment, name, args });
    workers.push(worker);
    return worker;
  };
  const lines = () => (existsSync(trace) ? readFileSync(trace, "utf8").trim().split("\n") : []);
  const newGate = () => join(engine.home, `gate-${++gates}`);
  const open = (gate: string) => writeFileSync(gate, "");
  const until = (what: () => unknown, timeout = 15_000) => expect.poll(what, { timeout, interval: 20 });
  const row = async (name: string) => {
    const page = { limit: 1, offset: 0, order: [] };
    return (await listWorkers(engine.store, { name }, page, engine.config.workers.lost_after_sec)).rows[0];
  };
  const tryOf = async (runId: string) => {
    const sql = `select id, try_number as n, pid, state from task_instance where run_id = $1`;
    return (await engine.store.query<{ id: string; n: number; pid: number; state: string }>(sql, [runId])).rows[0];
  };
  const request = (name: string, given: Partial<WorkerChanges>) =>
    requestWorkerChanges(engine.store, [name], { addQueues: [], removeQueues: [], shutdown: false, ...given });
  /** A run whose task waits for the gate on this worker. */
  const heldAt = async (worker: QueueWorkerProcess, dagId: string, gate: string) => {
    const runId = await engine.trigger(dagId, { conf: { gate } });
    await until(() => tryOf(runId)).toMatchObject({ state: "running", pid: worker.pid });
    await until(() => lines().some((line) => line.startsWith(runId))).toBe(true);
    return runId;
  };

  beforeAll(async () => {
    broker = await startBroker(kind);
    environment = queueEnvironment(broker);
    engine = await startEngine({ environment });
    trace = join(engine.home, "trace.txt");
    await engine.load({ "queue.ts": dagFile(trace) });
    await Promise.all([startWorker("one", "--queues", "default,heavy"), startWorker("two", "--concurrency", "4")]);
  }, 90_000);
  afterAll(async () => {
    for (const worker of workers) await worker.dispose();
    await engine?.stop();
    await broker?.stop();
  }, 60_000);

  test("a worker's environment shows neither the broker's URL nor its token to the tasks that it starts", async () => {
    for (const { pid } of workers) {
      const shown = readFileSync(`/proc/${pid}/environ`, "utf8");
      expect(shown).not.toContain("BARAM__");
      expect(shown).not.toContain(broker.url);
    }
  });

  test("success, failure and a retry come back through the API", async () => {
    const runId = await engine.trigger("outcomes");
    expect(await engine.finished("outcomes", runId)).toBe("failed");
    expect(await engine.states("outcomes", runId)).toEqual({ again: "success", bad: "failed", good: "success" });
  });

  test("a task goes to a worker of its queue", async () => {
    const runId = await engine.trigger("two_queues");
    expect(await engine.finished("two_queues", runId)).toBe("success");
    const one = workers.find(({ name }) => name === "one");
    expect(lines().filter((line) => line.startsWith("there "))).toEqual([`there ${one?.pid}`]);
  });

  atOne("a task of a queue that nobody serves waits until a worker is told to; queues come and go with a heartbeat", async () => {
    const two = workers.find(({ name }) => name === "two");
    expect(await row("two")).toMatchObject({ state: "running", queues: ["default"], concurrency: 4, pid: two?.pid });
    const runId = await engine.trigger("unserved");
    await until(() => tryOf(runId)).toMatchObject({ state: "queued" });
    expect(await request("two", { addQueues: ["nobody"] })).toEqual(["two"]);
    expect(await engine.finished("unserved", runId)).toBe("success");
    expect(lines().at(-1)).toBe(`served ${two?.pid}`);
    await request("two", { removeQueues: ["nobody", "absent"] });
    await until(async () => (await row("two"))?.queues).toEqual(["default"]);
    expect(await request("absent", { shutdown: true })).toEqual([]);
  });

  atOne("a worker killed with SIGKILL is shown as lost, and its task is tried again by another", async () => {
    const doomed = await startWorker("doomed", "--queues", "lost");
    const gate = newGate();
    const runId = await heldAt(doomed, "lost", gate);
    doomed.signal("SIGKILL");
    await request("two", { addQueues: ["lost"] });
    await until(() => tryOf(runId)).toMatchObject({ n: 2, state: "running" });
    await until(async () => (await row("doomed"))?.state).toBe("lost");
    open(gate);
    expect(await engine.finished("lost", runId)).toBe("success");
    expect(lines().filter((line) => line.startsWith(`${runId} 1`))).toHaveLength(1);
  });

  atOne("Ctrl-C drains a worker: it takes no more, lets its task end, and says that it is gone", async () => {
    const leaving = await startWorker("leaving", "--queues", "drain", "--concurrency", "1");
    const gate = newGate();
    const first = await heldAt(leaving, "drain", gate);
    leaving.signal("SIGINT");
    await until(() => leaving.log()).toContain("worker drains");
    await until(async () => (await row("leaving"))?.state).toBe("draining");
    const second = await engine.trigger("drain", { conf: { gate } });
    open(gate);
    expect(await leaving.ended).toBe(0);
    expect(await engine.finished("drain", first)).toBe("success");
    expect(await tryOf(first)).toMatchObject({ n: 1, pid: leaving.pid });
    expect((await tryOf(second))?.state).toBe("queued");
    expect((await row("leaving"))?.state).toBe("offline");
    await request("two", { addQueues: ["drain"] });
    expect(await engine.finished("drain", second)).toBe("success");
  });

  atOne("a second signal ends a worker at once, with its runners, and its task is tried again", async () => {
    const hasty = await startWorker("hasty", "--queues", "hasty");
    const gate = newGate();
    const runId = await heldAt(hasty, "hasty", gate);
    const runners = childrenOf(hasty.pid);
    expect(runners.length).toBeGreaterThan(0);
    hasty.signal("SIGTERM");
    await until(() => hasty.log()).toContain("worker drains");
    // Signals within a second of the first one count as one request.
    await sleep(1_100);
    hasty.signal("SIGTERM");
    expect(await hasty.ended).toBe(130);
    await until(() => runners.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    await request("two", { addQueues: ["hasty"] });
    await until(() => tryOf(runId)).toMatchObject({ n: 2, state: "running" });
    open(gate);
    expect(await engine.finished("hasty", runId)).toBe("success");
  });

  test("a worker that stood still past its lease runs nothing that another has begun", async () => {
    const still = await startWorker("still", "--queues", "frozen", "--concurrency", "2");
    // So that it asks to start a try as soon as it has a message.
    await engine.finished("frozen", await engine.trigger("frozen"));
    still.signal("SIGSTOP");
    const runId = await engine.trigger("frozen");
    await until(async () => Object.values(await engine.states("frozen", runId))).toEqual(Array(6).fill("queued"));
    // RabbitMQ has sent the first messages to the stopped worker's socket by now; when it is silent for long enough, the other
    // worker gets them.
    await request("two", { addQueues: ["frozen"] });
    expect(await engine.finished("frozen", runId)).toBe("success");
    still.signal("SIGCONT");
    await until(async () => (await row("still"))?.state).toBe("running");
    const after = await engine.trigger("frozen");
    expect(await engine.finished("frozen", after)).toBe("success");
    const two = workers.find(({ name }) => name === "two");
    const ran = lines().filter((line) => line.startsWith(`frozen ${runId}`));
    expect(new Set(ran).size).toBe(6);
    expect(ran).toHaveLength(6);
    expect(new Set(ran.map((line) => line.split(" ").at(-1)))).toEqual(new Set([String(two?.pid)]));
    expect(lines().filter((line) => line.startsWith(`frozen ${after}`))).toHaveLength(6);
    await request("still", { shutdown: true });
    expect(await still.ended).toBe(0);
  }, 40_000);

  atOne("a worker grows to its upper bound while it is full", async () => {
    const growing = await startWorker("growing", "--queues", "wide", "--autoscale", "3,1");
    expect((await row("growing"))?.concurrency).toBe(1);
    const gate = newGate();
    const runId = await engine.trigger("wide", { conf: { gate } });
    await until(async () => [(await row("growing"))?.concurrency, (await row("growing"))?.active]).toEqual([3, 3]);
    open(gate);
    expect(await engine.finished("wide", runId)).toBe("success");
    await request("growing", { shutdown: true });
    expect(await growing.ended).toBe(0);
  });

  test("a message given out again while its try runs, or after it has ended, starts nothing; one that is no workload is thrown away", async () => {
    const holder = await startWorker("holder", "--queues", "again");
    const gate = newGate();
    const runId = await heldAt(holder, "again", gate);
    const id = (await tryOf(runId))?.id ?? "";
    const other = await openBroker(brokerOptions(engine.config), silentLogger);
    await other.start();
    const ended: string[] = [];
    await other.watchEnds({ onEnded: (ids) => void ended.push(...ids), onGone() {} });
    const token = await createTokens(readJwtSecret(engine.config)).sign("baram:workload", { subject: id }, 3_600);
    const { rows } = await engine.store.query<{ hash: string }>(
      "select v.module_hash as hash from dag_version v where dag_id = 'again'",
    );
    const ti = { id, dagId: "again", runId, taskId: "t", mapIndex: -1, tryNumber: 1, poolSlots: 1, queue: "again" };
    const workload = {
      type: "ExecuteTask",
      token,
      ti: { ...ti, priorityWeight: 1, executorConfig: {} },
      moduleHash: rows[0]?.hash,
      logPath: "again.log",
    };
    // To a queue of another worker, like a broker that considers the first one dead.
    await other.publish([{ queue: "heavy", id, body: JSON.stringify(workload), priority: 1 }]);
    await until(() => ended).toEqual([id]);
    expect(await tryOf(runId)).toMatchObject({ id, state: "running", pid: holder.pid });
    open(gate);
    expect(await engine.finished("again", runId)).toBe("success");
    await until(() => ended).toEqual([id, id]);
    const stranger = randomUUID();
    await other.publish([
      { queue: "heavy", id, body: JSON.stringify(workload), priority: 1 },
      { queue: "heavy", id: stranger, body: "{}", priority: 1 },
    ]);
    await until(() => [...ended].sort()).toEqual([id, id, id, stranger].sort());
    expect(lines().filter((line) => line.startsWith(runId))).toHaveLength(1);
    await other.close();
  });

  test.runIf(kind === "rabbitmq")(
    "after task queues were deleted, the tasks that waited in them run, and later ones too",
    async () => {
      const conf = { gate: newGate() };
      open(conf.gate);
      const waited = await engine.trigger("drain", { conf });
      await until(() => broker.control("list_queues", "name", "messages")).toMatch(/baram\.tasks\.drain\s+1/);
      for (const queue of ["drain", "heavy"]) await broker.control("delete_queue", `baram.tasks.${queue}`);
      const worker = await startWorker("after-loss", "--queues", "drain");
      expect(await engine.finished("drain", waited)).toBe("success");
      expect(await engine.finished("two_queues", await engine.trigger("two_queues"))).toBe("success");
      expect(await engine.finished("drain", await engine.trigger("drain", { conf }))).toBe("success");
      expect(lines().filter((line) => line.startsWith(waited))).toEqual([`${waited} 1 ${worker.pid}`]);
      await worker.dispose();
    },
    60_000,
  );

  atOne(
    "a name that is taken, and an API that is not there, are one clear error each when a worker starts",
    async () => {
      const given = { config: engine.config, environment };
      const told = (start: Promise<unknown>) =>
        start.then(
          () => "it started",
          (error: Error) => error.message,
        );
      const patient = { ...environment, BARAM__WORKERS__LOST_AFTER_SEC: "0.5" };
      const [taken, away] = await Promise.all([
        told(startQueueWorker({ ...given, environment: patient, apiUrl: engine.apiUrl, name: "one" })),
        told(startQueueWorker({ ...given, environment: patient, apiUrl: "http://127.0.0.1:1", name: "x" })),
      ]);
      expect(taken).toMatch(
        /A worker named \\?"one\\?" runs on .*, process \d+, heard of \d+ s ago. Give this one another name with --name/,
      );
      expect(away).toContain("The API at http://127.0.0.1:1/execution cannot be reached");
      expect(away).toContain("BARAM__API__BASE_URL");
    },
    40_000,
  );
});
