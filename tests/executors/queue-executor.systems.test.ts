/**
 * The queue executor alone with a real broker: its reports to the scheduler if the broker is unreachable, has lost messages, or
 * has queues without workers.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExecuteTask } from "../../src/contracts/index.ts";
import type { Executor, ExecutorEvent } from "../../src/executors/index.ts";
import { type Broker, createQueueExecutor, openBroker, type QueueExecutorOptions } from "../../src/executors/queue/index.ts";
import { type Logger, silentLogger } from "../../src/platform/index.ts";
import { type BrokerServer, startBroker } from "../support/brokers.ts";

const PARALLELISM = 4;

function workload(given: Partial<ExecuteTask["ti"]> = {}): ExecuteTask {
  const ti = {
    id: randomUUID(),
    dagId: "d",
    runId: "r",
    taskId: "t",
    mapIndex: -1,
    tryNumber: 1,
    poolSlots: 1,
    queue: "default",
  };
  return {
    type: "ExecuteTask",
    token: "token",
    ti: { ...ti, priorityWeight: 1, executorConfig: {}, ...given },
    moduleHash: "0".repeat(64),
    logPath: "x.log",
  };
}

describe.each(["redis", "rabbitmq"] as const)("over %s", (kind) => {
  let server: BrokerServer;
  const executors: Executor[] = [];
  const brokers: Broker[] = [];
  let prefixes = 0;

  beforeAll(async () => {
    server = await startBroker(kind);
  }, 60_000);
  afterAll(async () => {
    for (const executor of executors) await executor.end(0);
    for (const broker of brokers) await broker.close();
    await server?.stop();
  }, 30_000);

  const brokerOptions = (prefix: string) => ({
    url: server.url,
    prefix,
    leaseSec: 2,
    operationTimeoutMs: 1_000,
    tls: { ca: null, cert: null, key: null },
  });

  async function start(given: Partial<QueueExecutorOptions> = {}) {
    const said: string[] = [];
    const note = (_facts: object, message: string) => void said.push(message);
    const logger: Logger = { ...silentLogger, info: note, warn: note };
    // Below the only prefix that the broker's user may use.
    const prefix = kind === "redis" ? `baram:${++prefixes}` : `baram.${++prefixes}`;
    let woken = 0;
    const executor = createQueueExecutor(
      {
        name: "QueueExecutor",
        parallelism: PARALLELISM,
        onEvent: () => void woken++,
        broker: brokerOptions(prefix),
        callbackQueue: "default",
        checkSec: 0.3,
        findEnded: async () => [],
        ...given,
      },
      logger,
    );
    await executor.start();
    executors.push(executor);
    const broker = await openBroker(brokerOptions(prefix), silentLogger);
    await broker.start();
    brokers.push(broker);
    const waiting = async (queue = "default") => (await broker.counts([queue]))[0]?.waiting;
    return { executor, broker, said, woken: () => woken, waiting };
  }
  const until = (what: () => unknown, timeout = 10_000) => expect.poll(what, { timeout, interval: 20 });

  test("what is too large, or for a queue whose name cannot be one, is refused with the reason and takes no place", async () => {
    const { executor, waiting } = await start();
    const large = workload({ executorConfig: { text: "x".repeat(9_000) } });
    const odd = workload({ queue: "a:b c" });
    executor.queue([large, odd]);
    expect(executor.slotsAvailable()).toBe(PARALLELISM);
    expect(executor.takeEvents()).toEqual([
      {
        id: large.ti.id,
        kind: "refused",
        reason: expect.stringMatching(/has 9\d\d\d bytes, and QueueExecutor carries 8192 at most/),
      },
      { id: odd.ti.id, kind: "refused", reason: expect.stringContaining('its queue is "a:b c"') },
    ]);
    expect(await waiting()).toBe(0);
  });

  test("a place is taken from the hand-over to the acknowledgement, and the scheduler is woken when places come free after there were few", async () => {
    const { executor, broker, woken } = await start();
    executor.queue(Array.from({ length: PARALLELISM }, () => workload()));
    expect(executor.slotsAvailable()).toBe(0);
    const consumer = await broker.consume({ queues: ["default"], limit: 1, onDelivery: (delivery) => void delivery.ack() });
    await until(() => executor.slotsAvailable()).toBe(PARALLELISM);
    expect(woken()).toBeGreaterThan(0);
    expect(executor.takeEvents()).toEqual([]);
    await consumer.stop();
  });

  test("while the broker is away it holds what it has places for, and publishes it when the broker is back, once", async () => {
    const { executor, waiting, said } = await start();
    await server.kill();
    executor.queue([workload(), workload()]);
    expect(executor.slotsAvailable()).toBe(PARALLELISM - 2);
    await until(() => said).toContain("workloads cannot be published to the broker; they are kept and retried");
    // Told again and again, so that the scheduler does not take them for stuck; the reason once.
    const told: ExecutorEvent[] = [];
    await until(() => told.push(...executor.takeEvents())).toBeGreaterThanOrEqual(6);
    expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(["waiting"]));
    const reasons = told.flatMap((one) => ("reason" in one && one.reason !== null ? [one.reason] : []));
    expect(reasons).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/^QueueExecutor: the broker does not take it: /)),
    );
    await server.restart();
    await until(waiting, 20_000).toBe(2);
    await until(() => said).toContain("workloads can be published again");
    executor.takeEvents();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(executor.takeEvents()).toEqual([]);
  }, 60_000);

  test("what was not yet published when its scheduler ends goes back; what was stays with the broker", async () => {
    const { executor, waiting } = await start();
    executor.queue([workload()]);
    await until(waiting).toBe(1);
    await server.kill();
    const late = workload();
    executor.queue([late]);
    await executor.end(0);
    expect(executor.takeEvents().filter(({ kind }) => kind !== "waiting")).toEqual([
      { id: late.ti.id, kind: "not_started", reason: expect.stringContaining("the scheduler ends") },
    ]);
    expect(executor.slotsAvailable()).toBe(0);
    await server.restart();
    await until(() => waiting().catch(() => null), 20_000).toBe(1);
  }, 60_000);

  test("a scheduler's heir publishes what only waited under its own id, and goes on with it; what runs it leaves to the scheduler", async () => {
    const { executor, waiting } = await start();
    const orphan = workload();
    const adopted = await executor.adopt([
      { id: orphan.ti.id, externalExecutorId: null, workload: orphan },
      { id: randomUUID(), externalExecutorId: null, workload: null },
    ]);
    expect(adopted).toEqual([orphan.ti.id]);
    expect(await executor.adopt([{ id: orphan.ti.id, externalExecutorId: null, workload: orphan }])).toEqual([orphan.ti.id]);
    await until(waiting).toBe(1);
    expect(executor.slotsAvailable()).toBe(PARALLELISM - 1);
  });

  test("an end that was not told frees its place with the next check", async () => {
    const ended = new Set<string>();
    const findEnded = async (ids: readonly string[]) => ids.filter((id) => ended.has(id));
    const { executor, waiting } = await start({ findEnded });
    const [over, open] = [workload(), workload()];
    executor.queue([over, open]);
    await until(waiting).toBe(2);
    ended.add(over.ti.id);
    await until(() => executor.slotsAvailable()).toBe(PARALLELISM - 1);
    expect(executor.takeEvents()).toEqual([]);
  });

  test("a queue that no worker serves is told of once, and again when one does", async () => {
    const { executor, broker, said } = await start();
    executor.queue([workload({ queue: "lonely" })]);
    const warning =
      'no worker serves the queue "lonely": its tasks wait until one does. Start one with: baram worker start --queues lonely';
    await until(() => said).toContain(warning);
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(said.filter((message) => message === warning)).toHaveLength(1);
    const consumer = await broker.consume({ queues: ["lonely"], limit: 1, onDelivery: () => {} });
    await until(() => said).toContain('a worker serves the queue "lonely" now');
    await consumer.stop();
  });

  test.runIf(kind === "redis")(
    "revoke takes a waiting one out; what the broker has lost goes back to be queued anew",
    async () => {
      const { executor, broker, waiting } = await start();
      const [revoked, lost] = [workload(), workload()];
      executor.queue([revoked, lost]);
      await until(waiting).toBe(2);
      executor.revoke(revoked.ti.id);
      await until(waiting).toBe(1);
      expect(executor.slotsAvailable()).toBe(PARALLELISM - 1);
      await broker.remove("default", lost.ti.id);
      await until(() => executor.slotsAvailable()).toBe(PARALLELISM);
      expect(executor.takeEvents()).toEqual([
        { id: lost.ti.id, kind: "not_started", reason: expect.stringContaining("the broker does not have it any more") },
      ]);
    },
  );
});
