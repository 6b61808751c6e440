/** What real brokers do on bad days: queues are deleted, primaries demoted, keys evicted. Faults are made with their own commands. */
import { randomUUID } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ExecuteTask } from "../../src/contracts/index.ts";
import {
  type Broker,
  type BrokerOptions,
  createQueueExecutor,
  type Delivery,
  openBroker,
} from "../../src/executors/queue/index.ts";
import { type Logger, silentLogger } from "../../src/platform/index.ts";
import { type BrokerServer, freePort, startBroker, startSentinel } from "../support/brokers.ts";

type Line = { level: "info" | "warn"; text: string; facts: Record<string, unknown> };

/** Everything that a test has opened; closed in the reverse order. */
let opened: (() => Promise<unknown>)[] = [];
let lines: Line[] = [];
const logger: Logger = {
  ...silentLogger,
  info: (facts, text) => void lines.push({ level: "info", text, facts: facts as Line["facts"] }),
  warn: (facts, text) => void lines.push({ level: "warn", text, facts: facts as Line["facts"] }),
  child: () => logger,
};
const said = (part: string) => lines.filter(({ text }) => text.includes(part)).length;
const until = (what: () => unknown, timeout = 10_000) => expect.poll(what, { timeout, interval: 20 });

const optionsOf = (server: Pick<BrokerServer, "url">): BrokerOptions => ({
  url: server.url,
  prefix: "baram",
  leaseSec: 2,
  operationTimeoutMs: 2_000,
  tls: { ca: null, cert: null, key: null },
});

async function started(kind: BrokerServer["kind"], given: Parameters<typeof startBroker>[1] = {}): Promise<BrokerServer> {
  const server = await startBroker(kind, given);
  opened.push(() => server.stop());
  return server;
}

async function open(server: Pick<BrokerServer, "url">): Promise<Broker> {
  const broker = await openBroker(optionsOf(server), logger);
  await broker.start();
  opened.push(() => broker.close());
  return broker;
}

async function take(broker: Broker, queues: string[], limit = 10) {
  const taken: Delivery[] = [];
  const consumer = await broker.consume({ queues, limit, onDelivery: (delivery) => void taken.push(delivery) });
  opened.push(() => consumer.stop());
  return { taken, consumer, ids: () => taken.map(({ id }) => id) };
}

async function watch(broker: Broker) {
  const ended: string[] = [];
  const gone: string[] = [];
  await broker.watchEnds({ onEnded: (ids) => void ended.push(...ids), onGone: (ids) => void gone.push(...ids) });
  return { ended, gone };
}

const message = (queue: string, id: string) => ({ queue, id, body: `body of ${id}`, priority: 1 });

function workload(): ExecuteTask {
  const ti = { id: randomUUID(), dagId: "d", runId: "r", taskId: "t", mapIndex: -1, tryNumber: 1, poolSlots: 1, queue: "work" };
  return {
    type: "ExecuteTask",
    token: "token",
    ti: { ...ti, priorityWeight: 1, executorConfig: {} },
    moduleHash: "0".repeat(64),
    logPath: "x.log",
  };
}

async function openExecutor(server: Pick<BrokerServer, "url">, checkSec: number) {
  const executor = createQueueExecutor(
    {
      name: "QueueExecutor",
      parallelism: 4,
      onEvent() {},
      broker: optionsOf(server),
      callbackQueue: "work",
      checkSec,
      findEnded: async () => [],
    },
    logger,
  );
  await executor.start();
  opened.push(() => executor.end(0));
  return executor;
}

/** Publishes until the broker takes it. */
const publishedAtLast = (broker: Broker, id: string) =>
  until(
    () =>
      broker.publish([message("work", id)]).then(
        () => "published",
        (error: Error) => error.message,
      ),
    20_000,
  ).toBe("published");

beforeEach(() => {
  opened = [];
  lines = [];
  for (const method of ["log", "info", "warn", "error"] as const) vi.spyOn(console, method).mockImplementation(() => {});
});

afterEach(async () => {
  for (const close of opened.reverse()) await close();
  const raw = (["log", "info", "warn", "error"] as const).flatMap((method) => vi.mocked(console[method]).mock.calls);
  vi.restoreAllMocks();
  // Client libraries say nothing past the log.
  expect(raw).toEqual([]);
  const told = (text: string) => lines.filter((line) => line.text === text).length;
  expect(told("the broker is back")).toBe(told("the broker is away"));
}, 60_000);

describe("RabbitMQ", () => {
  test("a deleted queue is declared and consumed again, and what waited in it is known to be gone", async () => {
    const server = await started("rabbitmq");
    const [scheduler, other] = [await open(server), await open(server)];
    const [mine, others] = [await watch(scheduler), await watch(other)];
    await scheduler.publish([message("work", "held"), message("work", "waits-1"), message("work", "waits-2")]);
    await other.publish([message("work", "waits-3"), message("elsewhere", "safe")]);
    const { taken, ids } = await take(await open(server), ["work"], 1);
    await until(ids).toEqual(["held"]);
    await server.control("delete_queue", "baram.tasks.work");
    await until(() => mine.gone.toSorted()).toEqual(["held", "waits-1", "waits-2"]);
    await until(() => others.gone).toEqual(["waits-3"]);
    expect(said("it is declared and consumed again")).toBe(1);
    await until(() => said("the queue is consumed again")).toBe(1);
    await scheduler.publish([message("work", "after-1"), message("work", "after-2")]);
    await taken[0]?.ack();
    await until(ids).toEqual(["held", "after-1"]);
    await taken[1]?.ack();
    await until(ids).toEqual(["held", "after-1", "after-2"]);
    await until(() => mine.ended).toEqual(["held", "after-1"]);
    expect(others.gone).toEqual(["waits-3"]);
  }, 60_000);

  test("a publish that the broker returns is not counted: it goes to the queue that is declared again", async () => {
    const server = await started("rabbitmq");
    const broker = await open(server);
    const { gone } = await watch(broker);
    await broker.publish([message("work", "lost")]);
    await server.control("delete_queue", "baram.tasks.work");
    await broker.publish([message("work", "stored")]);
    expect((await broker.counts(["work"]))[0]?.waiting).toBe(1);
    expect(gone).toEqual(["lost"]);
    const { ids } = await take(broker, ["work"]);
    await until(ids).toEqual(["stored"]);
  }, 60_000);

  test("a queue that nobody consumes or fills is missed by the scheduler's check, and its tries are given back at once", async () => {
    const server = await started("rabbitmq");
    const executor = await openExecutor(server, 0.5);
    const broker = await open(server);
    const [one, two] = [workload(), workload()];
    executor.queue([one, two]);
    await until(async () => (await broker.counts(["work"]))[0]?.waiting).toBe(2);
    await server.control("delete_queue", "baram.tasks.work");
    await until(() => executor.slotsAvailable()).toBe(4);
    expect(executor.takeEvents()).toEqual(
      [one, two].map(({ ti }) => ({
        id: ti.id,
        kind: "not_started",
        reason: expect.stringContaining("does not have it any more"),
      })),
    );
    expect(said("a queue was deleted with the workloads that waited in it")).toBe(1);
  }, 60_000);

  test("after the queue with the ends was deleted, the places come back, and ends are told again", async () => {
    const server = await started("rabbitmq");
    const executor = await openExecutor(server, 60);
    const worker = await open(server);
    executor.queue([workload(), workload()]);
    const { taken } = await take(worker, ["work"], 1);
    await until(() => taken.length).toBe(1);
    expect(executor.slotsAvailable()).toBe(2);
    const queues = (await server.control("list_queues", "name")).split("\n");
    const ends = queues.filter((name) => name.startsWith("baram.ends."));
    expect(ends).toHaveLength(1);
    for (const name of ends) await server.control("delete_queue", name);
    await until(() => executor.slotsAvailable()).toBe(4);
    expect(said("the queue with the ends of tasks was deleted")).toBe(1);
    executor.takeEvents();
    executor.queue([workload()]);
    await until(() => executor.slotsAvailable()).toBe(3);
    await until(async () => {
      for (const delivery of taken.splice(0)) await delivery.ack();
      return executor.slotsAvailable();
    }).toBe(4);
    expect(executor.takeEvents()).toEqual([]);
  }, 60_000);

  test("after the exchange of the ends was deleted, the places of what ended meanwhile come back, and ends are told again", async () => {
    const server = await started("rabbitmq");
    const executor = await openExecutor(server, 1);
    await server.control(
      "eval",
      `rabbit_exchange:delete(rabbit_misc:r(<<"/">>, exchange, <<"baram.ends">>), false, <<"test">>).`,
    );
    // This worker declares the exchange again, and the scheduler's queue is not bound to it.
    const { taken } = await take(await open(server), ["work"]);
    executor.queue([workload(), workload()]);
    await until(() => taken.length).toBe(2);
    for (const delivery of taken) await delivery.ack();
    await until(() => executor.slotsAvailable()).toBe(4);
    expect(said("the ends of tasks do not arrive")).toBe(1);
    executor.takeEvents();
    executor.queue([workload()]);
    await until(() => taken.length).toBe(3);
    await taken[2]?.ack();
    await until(() => executor.slotsAvailable()).toBe(4);
    expect(executor.takeEvents()).toEqual([]);
    // While ends arrive, nothing is bound again.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(said("the ends of tasks do not arrive")).toBe(1);
  }, 60_000);

  test("a restart is one line when the broker goes and one when it is back, with three connections", async () => {
    const server = await started("rabbitmq");
    const scheduler = await open(server);
    await watch(scheduler);
    const { ids } = await take(await open(server), ["work"]);
    await server.kill();
    await until(() => said("the broker is away")).toBe(2);
    await server.restart();
    await until(() => said("the broker is back"), 20_000).toBe(2);
    await publishedAtLast(scheduler, "after");
    await until(ids).toEqual(["after"]);
    expect(said("the broker is away")).toBe(2);
  }, 90_000);

  test("a right that is taken away while it runs is a line of the log, and not an outage of the broker", async () => {
    const server = await started("rabbitmq");
    const broker = await open(server);
    const { ids } = await take(broker, ["work"]);
    await server.control("set_permissions", "baram-user", "^baram\\.", "^baram\\.", "^baram\\.");
    await until(() =>
      broker.publish([message("work", "x")]).then(
        () => "published",
        (error: Error) => error.message,
      ),
    ).toContain("ACCESS_REFUSED");
    expect(said("the broker is away")).toBe(0);
    await server.control("set_permissions", "baram-user", "^baram\\.", "^baram\\.|^amq\\.default$", "^baram\\.");
    await publishedAtLast(broker, "y");
    await until(() => [...new Set(ids())]).toContain("y");
  }, 60_000);
});

/** A name that leads to another server when its target changes; connections that exist are kept. */
async function startName(first: number) {
  let target = first;
  const sockets = new Set<Socket>();
  const port = await freePort();
  const server = createServer((socket) => {
    const there = connect(target, "127.0.0.1");
    for (const one of [socket, there]) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => [socket, there].map((each) => each.destroy()));
    }
    socket.pipe(there).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  opened.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: (of: BrokerServer) => of.url.replace(`:${of.port}/`, `:${port}/`),
    lead: (to: number) => {
      target = to;
    },
  };
}

async function startPair(): Promise<[BrokerServer, BrokerServer]> {
  const primary = await started("redis");
  const replica = await started("redis", { config: [`replicaof 127.0.0.1 ${primary.port}`] });
  await until(() => replica.control("info", "replication"), 20_000).toContain("master_link_status:up");
  return [primary, replica];
}

describe("Redis", () => {
  test("a primary that was demoted is left by schedulers and workers, though it keeps their connections", async () => {
    const [first, second] = await startPair();
    const name = await startName(first.port);
    const endpoint = { url: name.url(first) };
    const scheduler = await open(endpoint);
    const { ended } = await watch(scheduler);
    const { taken, ids } = await take(await open(endpoint), ["work"], 2);
    await scheduler.publish([message("work", "before")]);
    await until(ids).toEqual(["before"]);
    await until(() => second.control("hget", "baram:queue:work:before", "data")).toContain("body of before");
    await second.control("replicaof", "no", "one");
    name.lead(second.port);
    await first.control("replicaof", "127.0.0.1", String(second.port));
    await publishedAtLast(scheduler, "after");
    await until(ids, 20_000).toEqual(["before", "after"]);
    for (const delivery of taken) await delivery.ack();
    await until(() => ended.toSorted(), 20_000).toEqual(["after", "before"]);
    expect(await second.control("exists", "baram:queue:work:after")).toBe("0");
    expect(lines.find(({ text }) => text === "the broker is away")?.facts).toMatchObject({
      error: expect.stringContaining("it is a read-only replica now"),
    });
    await until(() => said("the broker is back")).toBe(said("the broker is away"));
  }, 60_000);

  test("an executor alone leaves a demoted primary with its next check, before it believes what that has", async () => {
    const [first, second] = await startPair();
    const name = await startName(first.port);
    const executor = await openExecutor({ url: name.url(first) }, 0.3);
    executor.queue([workload()]);
    await until(() => second.control("keys", "baram:queue:work:*-*-*")).not.toBe("");
    await second.control("replicaof", "no", "one");
    name.lead(second.port);
    await first.control("replicaof", "127.0.0.1", String(second.port));
    await until(() => said("the broker is back")).toBe(1);
    expect(executor.takeEvents()).toEqual([]);
    expect(executor.slotsAvailable()).toBe(3);
  }, 60_000);

  test("a replica is refused at the start", async () => {
    const [, replica] = await startPair();
    await expect(open(replica)).rejects.toThrow(/is a read-only replica\. Write the address of the primary/);
  }, 60_000);

  test("over Redis Sentinel, a failover is followed", async () => {
    const [first, second] = await startPair();
    const sentinel = await startSentinel(first);
    opened.push(() => sentinel.stop());
    await until(() => sentinel.control("sentinel", "replicas", "main"), 20_000).toContain(String(second.port));
    const scheduler = await open(sentinel);
    const { ended } = await watch(scheduler);
    const { taken, ids } = await take(await open(sentinel), ["work"], 2);
    await scheduler.publish([message("work", "before")]);
    await until(ids).toEqual(["before"]);
    await until(() => sentinel.control("sentinel", "failover", "main").catch(String), 20_000).toBe("OK");
    await until(() => second.control("info", "replication"), 20_000).toContain("role:master");
    await publishedAtLast(scheduler, "after");
    await until(() => ids().at(-1), 20_000).toBe("after");
    for (const delivery of taken) await delivery.ack();
    await until(() => ended, 20_000).toContain("after");
    await until(() => said("the broker is back")).toBe(said("the broker is away"));
    const unknown = await open({ url: sentinel.url.replace(/main$/, "other") }).catch((error) => error);
    expect(unknown.code).toBe("broker_unreachable");
    expect(unknown.message).toContain('monitor "other"');
  }, 90_000);

  test("a Redis in cluster mode is refused with what to use instead", async () => {
    const server = await started("redis", { config: ["cluster-enabled yes"] });
    await expect(open(server)).rejects.toThrow(
      /runs in cluster mode; Redis Cluster is not supported\. Use a Redis without cluster mode/,
    );
  }, 30_000);

  test("what the server has deleted to save memory is missing, whether it is a message or a queue's list", async () => {
    const server = await started("redis");
    const executor = await openExecutor(server, 0.3);
    const broker = await open(server);
    const [evicted, stays] = [workload(), workload()];
    executor.queue([evicted, stays]);
    await until(async () => (await broker.counts(["work"]))[0]?.waiting).toBe(2);
    await server.control("del", `baram:queue:work:${evicted.ti.id}`);
    await until(() => executor.slotsAvailable()).toBe(3);
    expect(executor.takeEvents()).toMatchObject([{ id: evicted.ti.id, kind: "not_started" }]);
    await server.control("del", "baram:queue:work:prioritized");
    await until(() => executor.slotsAvailable()).toBe(4);
    expect(executor.takeEvents()).toMatchObject([{ id: stays.ti.id, kind: "not_started" }]);
    expect(said("the broker does not have these workloads any more")).toBe(2);
  }, 30_000);

  test("a worker goes past a message whose data is gone, and one whose data goes while it runs has its end told", async () => {
    const server = await started("redis");
    const broker = await open(server);
    const { ended } = await watch(broker);
    await broker.publish([message("work", "evicted"), message("work", "next")]);
    await server.control("del", "baram:queue:work:evicted");
    const { taken, ids } = await take(broker, ["work"], 1);
    await until(ids).toContain("next");
    await server.control("del", "baram:queue:work:next");
    for (const delivery of taken) await delivery.ack();
    await until(() => ended).toContain("next");
    await broker.publish([message("work", "later")]);
    await until(ids).toContain("later");
    expect(ids()).not.toContain("evicted");
    expect(ended).not.toContain("evicted");
    expect(said("the broker has deleted a message's data")).toBeGreaterThan(0);
    await until(() => broker.missing([message("work", "evicted"), message("work", "later")])).toEqual(["evicted"]);
  }, 30_000);

  test("a policy that deletes keys is warned of at the start, and so is a policy that may not be read", async () => {
    const server = await started("redis", { config: ["maxmemory-policy volatile-lru"] });
    await open(server);
    expect(said("the broker's maxmemory-policy is volatile-lru")).toBe(1);
    await server.control("acl", "setuser", "baram-user", "-info");
    const broker = await open(server);
    expect(said("the broker does not let us read INFO: its version and its maxmemory-policy are not checked")).toBe(1);
    await broker.publish([message("work", "a")]);
    const { ids } = await take(broker, ["work"]);
    await until(ids).toEqual(["a"]);
  }, 30_000);

  test("a password that the server does not ask for is a line of the log", async () => {
    const server = await started("redis");
    await server.control("acl", "setuser", "default", "on", "nopass");
    const url = server.url.replace("baram-user:", ":");
    const broker = await open({ url });
    expect(said("the broker asks for no password")).toBe(1);
    await broker.publish([message("work", "a")]);
  }, 30_000);

  test("a restart is one line when the broker goes and one when it is back, with all connections of a process", async () => {
    const server = await started("redis");
    const broker = await open(server);
    await watch(broker);
    const { ids } = await take(broker, ["work"]);
    await server.kill();
    await until(() => said("the broker is away")).toBe(1);
    await server.restart();
    await until(() => said("the broker is back"), 20_000).toBe(1);
    await publishedAtLast(broker, "after");
    await until(ids).toEqual(["after"]);
    expect(said("the broker is away")).toBe(1);
  }, 60_000);
});
