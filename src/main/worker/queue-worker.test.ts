/** The worker's side of a token that ends, with a broker in memory and the answers of an API. */
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { loadConfig } from "../../config/index.ts";
import type { Broker } from "../../executors/queue/index.ts";
import { createTokens, silentLogger } from "../../platform/index.ts";
import { supervisorOptionsElsewhere } from "../supervisor-options.ts";
import { type QueueWorker, startQueueWorker } from "./queue-worker.ts";
import { createWorkerToken, type WorkerToken } from "./worker-token.ts";

let server: Server | undefined;
let worker: QueueWorker | undefined;
afterEach(async () => {
  await worker?.drain(0);
  server?.closeAllConnections();
  server?.close();
});

/** `start` answers a start; the token that authorized it is passed. */
async function startApi(start: (bearer: string) => Promise<object>): Promise<string> {
  server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      if (request.url?.includes("/modules/")) return void answer.end(gzipSync(CODE));
      const { items } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { items: { id: string }[] };
      const said = await start(request.headers.authorization?.replace("Bearer ", "") ?? "");
      if ("status" in said && said.status === 401)
        return void answer.writeHead(401).end(JSON.stringify({ detail: { reason: "token_expired", message: "over" } }));
      answer.end(JSON.stringify({ items: items.map(({ id }) => ({ id, ok: false, ...said })) }));
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type ConsumeOptions = Parameters<Broker["consume"]>[0];

function memoryBroker() {
  const settled: string[] = [];
  const consumed: (readonly string[])[] = [];
  let options: ConsumeOptions | undefined;
  const broker = {
    async consume(given: ConsumeOptions) {
      options = given;
      consumed.push(given.queues);
      return {
        setQueues: async (queues: readonly string[]) => void consumed.push(queues),
        async setLimit() {},
        async pause() {},
        async stop() {},
      };
    },
  } as unknown as Broker;
  const deliver = (moduleHash: string) => {
    const id = randomUUID();
    const ti = { dagId: "d", runId: "r", taskId: "t", mapIndex: -1, tryNumber: 1, poolSlots: 1, queue: "default" };
    const workload = { type: "ExecuteTask", token: "start", moduleHash, logPath: "t.log" };
    const body = JSON.stringify({ ...workload, ti: { ...ti, id, priorityWeight: 1, executorConfig: {} } });
    const settle = (how: string) => async () => void settled.push(`${how} ${id}`);
    options?.onDelivery({ queue: "default", id, body, ack: settle("ack"), requeue: settle("requeue") });
    return id;
  };
  return { broker, deliver, settled, consumed };
}

const CODE = "export const x = 1;";
const HASH = createHash("sha256").update(CODE).digest("hex");

/** `onConsume`: called while the broker is asked for the queues. */
async function startWorker(apiUrl: string, ttlSec: number, onConsume = (_token: WorkerToken, _given: string) => {}) {
  const home = mkdtempSync(join(tmpdir(), "baram-worker-"));
  const config = loadConfig({ BARAM_HOME: home });
  // What a call carries is judged by this machine's clock.
  const time = { ms: Date.now() };
  const tokens = createTokens(new Uint8Array(48).fill(1), () => time.ms);
  const given = await tokens.sign("baram:worker", { subject: "w" }, ttlSec);
  const memory = memoryBroker();
  const token: WorkerToken = createWorkerToken({
    token: given,
    name: "w",
    path: null,
    onChange: () => void worker?.heedToken(),
    logger: silentLogger,
    now: () => time.ms,
  });
  const { consume } = memory.broker;
  memory.broker.consume = async (wanted) => {
    const consumer = await consume(wanted);
    onConsume(token, given);
    return consumer;
  };
  const supervisor = { ...supervisorOptionsElsewhere(config, apiUrl, 1, home), workerToken: token.current };
  const options = { supervisor, token, queues: ["default"], bounds: { max: 1, min: 1 }, prefetchMultiplier: 1 };
  worker = await startQueueWorker(memory.broker, options, silentLogger);
  return { ...memory, token, given, time };
}

test("a token that ends while a task is being taken: the API refuses its start, it goes back to the broker, and nothing more is taken", async () => {
  const bearers: string[] = [];
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let answer = () => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const apiUrl = await startApi(async (bearer) => {
    bearers.push(bearer);
    asked();
    await held;
    // As the API does: it reads no batch with an expired bearer, and starts nothing with the workload's own token.
    return bearer === "start"
      ? { status: 403, code: "worker_token_needed", message: "a worker's token is needed" }
      : { status: 401 };
  });
  const { deliver, settled, consumed, token, given, time } = await startWorker(apiUrl, 60);
  const id = deliver(HASH);
  await isAsked;
  expect([token.isGood(), settled]).toEqual([true, []]);
  // The API's clock is ahead of this one.
  time.ms += 1_000;
  answer();
  await expect.poll(() => settled).toEqual([`requeue ${id}`]);
  expect(bearers).toEqual([given, "start"]);
  expect([token.isGood(), consumed]).toEqual([false, [["default"], []]]);
  // What the broker had already sent goes back as well.
  const late = deliver(HASH);
  expect(settled).toEqual([`requeue ${id}`, `requeue ${late}`]);
  expect(bearers).toHaveLength(2);
});

test("a refusal that is not about the worker's token is acknowledged, as before", async () => {
  const apiUrl = await startApi(async () => ({ status: 409, code: "invalid_state", message: "not queued" }));
  const { deliver, settled, token } = await startWorker(apiUrl, 60);
  const id = deliver(HASH);
  await expect.poll(() => settled).toEqual([`ack ${id}`]);
  expect(token.isGood()).toBe(true);
});

test("while the token is over the worker's queues may change, and are served once it is good again", async () => {
  const { consumed, time, token } = await startWorker("http://127.0.0.1:1", 60);
  time.ms += 55_000;
  token.look();
  await worker?.setQueues(["other"]);
  expect(consumed).toEqual([["default"], [], []]);
  time.ms -= 55_000;
  token.look();
  expect(consumed.at(-1)).toEqual(["other"]);
});

test("a token that is refused while the worker starts to consume: nothing is taken", async () => {
  const { consumed } = await startWorker("http://127.0.0.1:1", 60, (token, given) => token.refused(given));
  expect(consumed).toEqual([["default"], []]);
});
