/** The contract of all brokers, tested with real servers. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Broker, type BrokerOptions, type Consumer, type Delivery, openBroker } from "../../src/executors/queue/index.ts";
import { type Logger, silentLogger } from "../../src/platform/index.ts";
import { type BrokerServer, ensureRedis6, LEAST_RABBITMQ_RIGHTS, LEAST_REDIS_RIGHTS, startBroker } from "../support/brokers.ts";

const LEASE_SEC = 2;

function optionsOf(server: BrokerServer, given: Partial<BrokerOptions> = {}): BrokerOptions {
  const tls = { ca: server.ca, cert: null, key: null };
  return { url: server.url, prefix: "baram", leaseSec: LEASE_SEC, operationTimeoutMs: 2_000, tls, ...given };
}

async function open(server: BrokerServer, given: Partial<BrokerOptions> = {}, logger = silentLogger): Promise<Broker> {
  const broker = await openBroker(optionsOf(server, given), logger);
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
    await watcher.watchEnds({ onEnded: (ids) => void ended.push(...ids), onGone() {} });
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
    await broker.watchEnds({ onEnded: (ids) => void ended.push(...ids), onGone() {} });
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

/** Publishes, takes and acknowledges one message, and resolves when its end was told, or it was found gone. */
async function passOne(broker: Broker): Promise<"ended" | "gone"> {
  const heard: ["ended" | "gone", string][] = [];
  const note = (how: "ended" | "gone") => (ids: readonly string[]) =>
    void heard.push(...ids.map((id) => [how, id] as const as never));
  await broker.watchEnds({ onEnded: note("ended"), onGone: note("gone") });
  await broker.publish([message("rights", "one")]);
  expect((await broker.counts(["rights"]))[0]?.waiting).toBe(1);
  const { taken, ids, consumer } = await take(broker, ["rights"]);
  await until(ids).toEqual(["one"]);
  await taken[0]?.requeue();
  await until(ids).toEqual(["one", "one"]);
  await taken[1]?.ack();
  await until(() => heard.length).toBe(1);
  expect(await broker.missing([])).toEqual([]);
  await consumer.stop();
  expect(heard[0]?.[1]).toBe("one");
  return heard[0]?.[0] ?? "gone";
}

describe.each([
  ["6.2", ensureRedis6],
  ["7", () => "redis-server"],
])("the rights of a user of Redis %s", (version, findServer) => {
  const withRights = async (rights: string, work: (server: BrokerServer) => Promise<void>) => {
    const server = await startBroker("redis", { rights, redisServer: findServer() });
    try {
      expect(await server.control("info", "server")).toContain(`redis_version:${version}`);
      await work(server);
    } finally {
      await server.stop();
    }
  };

  test("the least rights that the documentation names suffice, for another database too", async () => {
    await withRights(LEAST_REDIS_RIGHTS, async (server) => {
      for (const database of ["0", "3"]) {
        const broker = await open(server, { url: server.url.replace(/0$/, database) });
        expect(await passOne(broker)).toBe("ended");
        await broker.close();
      }
    });
  });

  test("all commands and keys without a channel suffice: ends are looked up, and a line says so", async () => {
    await withRights("~* resetchannels +@all", async (server) => {
      const said: string[] = [];
      const logger: Logger = { ...silentLogger, warn: (_facts, text) => void said.push(text) };
      const broker = await open(server, {}, logger);
      expect(await passOne(broker)).toBe("gone");
      expect(said).toEqual([expect.stringContaining("the broker does not let us use channels")]);
      await broker.close();
    });
    await withRights("~* &* +@all", async (server) => {
      const broker = await open(server);
      expect(await passOne(broker)).toBe("ended");
      await broker.close();
    });
  });

  test("a right that is missing is named at the start, with the command that grants all", async () => {
    await withRights(LEAST_REDIS_RIGHTS, async (server) => {
      const cases = [
        ["-@scripting", "+@scripting"],
        ["-@read", "+@read and ~baram:*"],
        ["-bzpopmin", "+@write"],
        ["-@connection", "+@connection"],
        ["-zadd", "+@write and ~baram:*"],
        ["-xadd", "+@read, +@write, +@scripting and ~baram:*"],
        ["resetkeys ~other:*", "+@write and ~baram:*"],
      ] as const;
      for (const [change, right] of cases) {
        await server.control("acl", "setuser", "baram-user", ...change.split(" "));
        const refused = await open(server).catch((error) => error);
        expect(refused, change).toMatchObject({ code: "broker_refused" });
        expect(refused.message, change).toContain(`the missing right is ${right}: `);
        expect(refused.message, change).toContain(`ACL SETUSER baram-user ${LEAST_REDIS_RIGHTS}`);
        await server.control("acl", "setuser", "baram-user", "resetkeys", "-@all", ...LEAST_REDIS_RIGHTS.split(" "));
      }
      await (await open(server)).close();
    });
  });
});

describe("the rights of a user of RabbitMQ", () => {
  test("a right that is missing is named at the start, with the command that grants all", async () => {
    const server = await startBroker("rabbitmq");
    try {
      const [configure, write, read] = LEAST_RABBITMQ_RIGHTS;
      const cases = [
        [["^$", write, read], /configure on baram\.tasks\./],
        [[configure, "^baram\\.", read], /write on amq\.default/],
        [[configure, write, "^$"], /read on baram\.tasks\./],
        [[configure, "^amq\\.default$", read], /write on baram\.ends/],
        [[configure, "^baram\\.ends\\.|^amq\\.default$", read], /write on baram\.ends/],
        [[configure, write, "^baram\\.tasks\\."], /read on baram\.ends/],
        [["^baram\\.tasks\\.", write, read], /configure on baram\.ends/],
      ] as const;
      for (const [rights, missing] of cases) {
        await server.control("set_permissions", "baram-user", ...rights);
        const refused = await open(server).catch((error) => error);
        expect(refused, rights.join(" ")).toMatchObject({ code: "broker_refused" });
        expect(refused.message).toMatch(missing);
        expect(refused.message).toContain(
          `rabbitmqctl set_permissions -p '/' 'baram-user' ${LEAST_RABBITMQ_RIGHTS.map((one) => `'${one}'`).join(" ")}`,
        );
      }
      await server.control("set_permissions", "baram-user", ...LEAST_RABBITMQ_RIGHTS);
      const broker = await open(server);
      expect(await passOne(broker)).toBe("ended");
      // The check leaves nothing behind.
      expect(await server.control("list_queues", "name")).not.toContain("check-");
      await broker.close();
    } finally {
      await server.stop();
    }
  }, 90_000);
});
