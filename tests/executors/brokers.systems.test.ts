/** The contract of all brokers, tested with real servers. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, type BrokerOptions, type Consumer, type Delivery, openBroker } from "../../src/executors/queue/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { type BrokerServer, startBroker } from "../support/brokers.ts";

const LEASE_SEC = 2;

function optionsOf(server: BrokerServer, given: Partial<BrokerOptions> = {}): BrokerOptions {
  const tls = { ca: server.ca, cert: null, key: null };
  return { url: server.url, prefix: "baram", leaseSec: LEASE_SEC, operationTimeoutMs: 2_000, tls, ...given };
}

async function open(server: BrokerServer, given: Partial<BrokerOptions> = {}): Promise<Broker> {
  const broker = await openBroker(optionsOf(server, given), silentLogger);
  await broker.start();
  return broker;
}

function message(queue: string, id: string, priority = 1) {
  return { queue, id, body: `body of ${id}`, priority };
}

/** Receives messages without acknowledging them until the test does. */
async function take(broker: Broker, queues: string[], limit = 10) {
  const taken: Delivery[] = [];
  const consumer = await broker.consume({ queues, limit, onDelivery: (delivery) => void taken.push(delivery) });
  return { taken, consumer, ids: () => taken.map(({ id }) => id) };
}

const until = (what: () => unknown, timeout = 8_000) => expect.poll(what, { timeout, interval: 20 });

describe.each(["redis", "rabbitmq"] as const)("%s", (kind) => {
  let server: BrokerServer;
  const brokers: Broker[] = [];
  const consumers: Consumer[] = [];
  let queues = 0;
  const fresh = () => `q${++queues}`;
  const opened = async (given: Partial<BrokerOptions> = {}) => {
    const broker = await open(server, given);
    brokers.push(broker);
    return broker;
  };
  const taking = async (...given: Parameters<typeof take>) => {
    const one = await take(...given);
    consumers.push(one.consumer);
    return one;
  };

  beforeAll(async () => {
    server = await startBroker(kind);
  }, 60_000);
  afterAll(async () => {
    for (const consumer of consumers) await consumer.stop();
    for (const broker of brokers) await broker.close();
    await server?.stop();
  });

  test("what is published is delivered with its id and body, and not again once it is acknowledged", async () => {
    const broker = await opened();
    const queue = fresh();
    await broker.publish([message(queue, "a"), message(queue, "b")]);
    const { taken, ids, consumer } = await taking(broker, [queue]);
    await until(ids).toEqual(["a", "b"]);
    expect(taken[0]).toMatchObject({ queue, id: "a", body: "body of a" });
    for (const delivery of taken) await delivery.ack();
    await consumer.stop();
    const second = await taking(broker, [queue]);
    await broker.publish([message(queue, "c")]);
    await until(second.ids).toEqual(["c"]);
  });

  test("the more important one is delivered first, then the older one", async () => {
    const broker = await opened();
    const queue = fresh();
    await broker.publish([message(queue, "low", 1), message(queue, "high", 100), message(queue, "high-later", 100)]);
    await broker.publish([message(queue, "negative", -5)]);
    const { ids } = await taking(broker, [queue]);
    await until(ids).toEqual(["high", "high-later", "low", "negative"]);
  });

  test("a consumer has no more in hand than its limit, of all its queues together, and takes more when the limit grows", async () => {
    const broker = await opened();
    const [one, two] = [fresh(), fresh()];
    await broker.publish([1, 2, 3, 4].flatMap((n) => [message(one, `${one}-${n}`), message(two, `${two}-${n}`)]));
    const { taken, consumer } = await taking(broker, [one, two], 3);
    await until(() => taken.length).toBe(3);
    await taken[0]?.ack();
    await until(() => taken.length).toBe(4);
    const { waiting: atOne } = (await broker.counts([one]))[0] ?? { waiting: -1 };
    const { waiting: atTwo } = (await broker.counts([two]))[0] ?? { waiting: -1 };
    expect(atOne + atTwo).toBe(4);
    await consumer.setLimit(5);
    await until(() => taken.length).toBe(6);
  });

  test("what is given back, and what a stopped consumer had in hand, goes to another", async () => {
    const broker = await opened();
    const queue = fresh();
    await broker.publish([message(queue, "x"), message(queue, "y")]);
    const first = await taking(broker, [queue], 2);
    await until(() => first.taken.length).toBe(2);
    await first.consumer.pause();
    await first.taken[0]?.requeue();
    const second = await taking(broker, [queue]);
    await until(second.ids).toEqual(["x"]);
    await first.consumer.stop();
    await until(second.ids).toEqual(["x", "y"]);
  });

  test("a paused consumer takes nothing, and can acknowledge what it has", async () => {
    const broker = await opened();
    const queue = fresh();
    await broker.publish([message(queue, "held")]);
    const { taken, consumer, ids } = await taking(broker, [queue]);
    await until(ids).toEqual(["held"]);
    await consumer.pause();
    await broker.publish([message(queue, "left")]);
    await until(async () => (await broker.counts([queue]))[0]?.waiting).toBe(1);
    await taken[0]?.ack();
    expect(ids()).toEqual(["held"]);
    expect((await broker.counts([queue]))[0]).toMatchObject({ waiting: 1, isServed: kind === "redis" });
  });

  test("queues are added and left while it runs", async () => {
    const broker = await opened();
    const [one, two] = [fresh(), fresh()];
    const { ids, consumer, taken } = await taking(broker, [one]);
    await broker.publish([message(two, "early")]);
    await broker.publish([message(one, "first")]);
    await until(ids).toEqual(["first"]);
    await consumer.setQueues([two]);
    await until(ids).toEqual(["first", "early"]);
    await broker.publish([message(one, "unseen"), message(two, "seen")]);
    await until(ids).toEqual(["first", "early", "seen"]);
    for (const delivery of taken) await delivery.ack();
    await until(async () => (await broker.counts([one]))[0]?.waiting).toBe(1);
  });

  test("everyone who watches hears of what was acknowledged", async () => {
    const [publisher, watcher] = [await opened(), await opened()];
    const ended: string[] = [];
    await watcher.watchEnds((ids) => void ended.push(...ids));
    const queue = fresh();
    await publisher.publish([message(queue, "e1"), message(queue, "e2"), message(queue, "e3")]);
    const { taken } = await taking(await opened(), [queue]);
    await until(() => taken.length).toBe(3);
    await taken[0]?.ack();
    await taken[2]?.requeue();
    await taken[1]?.ack();
    await until(() => ended).toEqual(["e1", "e2"]);
  });

  test("what was published and what was in hand outlasts a restart of the broker, and its users reconnect by themselves", async () => {
    const broker = await opened();
    const ended: string[] = [];
    await broker.watchEnds((ids) => void ended.push(...ids));
    const queue = fresh();
    await broker.publish([message(queue, "in-hand"), message(queue, "waits")]);
    const { taken, ids } = await taking(broker, [queue], 1);
    await until(ids).toEqual(["in-hand"]);
    await server.kill();
    await expect(broker.publish([message(queue, "meanwhile")])).rejects.toThrow();
    await server.restart();
    await until(
      () =>
        broker.publish([message(queue, "after")]).then(
          () => "published",
          () => "away",
        ),
      15_000,
    ).toBe("published");
    await until(() => {
      // Redelivered or still held: in both cases it is removed when it is acknowledged.
      for (const delivery of taken) void delivery.ack();
      return [...new Set(ids())].sort();
    }, 20_000).toEqual(expect.arrayContaining(["after", "in-hand", "waits"]));
    await until(() => ended).toContain("after");
    expect(await broker.missing([{ queue, id: "waits" }]).then((ids) => kind === "rabbitmq" || ids.includes("waits"))).toBe(true);
  }, 60_000);

  test("a wrong password, a server that is not there and a URL that is none are one clear error each, without the password", async () => {
    const wrong = server.url.replace(encodeURIComponent(server.password), "guessed-secret");
    const refused = await open(server, { url: wrong }).catch((error) => error);
    expect(refused).toMatchObject({ code: "broker_refused" });
    expect(refused.message).not.toContain("guessed-secret");
    expect(refused.message).toContain(`baram-user:***@127.0.0.1:${server.port}`);
    const away = await open(server, { url: server.url.replace(`:${server.port}`, ":1") }).catch((error) => error);
    expect(away).toMatchObject({ code: "broker_unreachable" });
    expect(away.message).not.toContain(server.password);
    expect(away.message).toContain("ECONNREFUSED");
    const none = await open(server, { url: `http://${server.password}@host` }).catch((error) => error);
    expect(none).toMatchObject({ code: "broker_url_invalid" });
    expect(none.message).not.toContain(server.password);
  }, 30_000);

  test("TLS with an authority of one's own: accepted with it, refused without it", async () => {
    const secure = await startBroker(kind, { tls: true });
    try {
      const broker = await open(secure);
      brokers.push(broker);
      await broker.publish([message("tls", "t")]);
      const { ids } = await taking(broker, ["tls"]);
      await until(ids).toEqual(["t"]);
      const untrusting = await open(secure, { tls: { ca: null, cert: null, key: null } }).catch((error) => error);
      expect(untrusting).toMatchObject({ code: "broker_unreachable" });
      for (const consumer of consumers.splice(-1)) await consumer.stop();
      await brokers.pop()?.close();
    } finally {
      await secure.stop();
    }
  }, 60_000);
});

describe("redis alone", () => {
  let server: BrokerServer;
  beforeAll(async () => {
    server = await startBroker("redis");
  }, 60_000);
  afterAll(() => server?.stop());

  test("the same id published twice waits once; once acknowledged it may come again", async () => {
    const broker = await open(server);
    await broker.publish([message("twice", "same"), message("twice", "same")]);
    await broker.publish([message("twice", "same")]);
    expect((await broker.counts(["twice"]))[0]?.waiting).toBe(1);
    const { taken, ids, consumer } = await take(broker, ["twice"]);
    await until(ids).toEqual(["same"]);
    await taken[0]?.ack();
    await broker.publish([message("twice", "same")]);
    await until(ids).toEqual(["same", "same"]);
    await taken[1]?.ack();
    expect(await broker.missing([{ queue: "twice", id: "same" }])).toEqual(["same"]);
    await consumer.stop();
    await broker.close();
  });

  test("what is taken out is not delivered", async () => {
    const broker = await open(server);
    await broker.publish([message("out", "gone"), message("out", "stays")]);
    await broker.remove("out", "gone");
    const { ids, consumer } = await take(broker, ["out"]);
    await until(ids).toEqual(["stays"]);
    await consumer.stop();
    await broker.close();
  });

  test("a user without rights to the prefix is refused at the start", async () => {
    const refused = await open(server, { prefix: "other" }).catch((error) => error);
    expect(refused).toMatchObject({ code: "broker_refused" });
    expect(refused.message).toContain("NOPERM");
  });
});
