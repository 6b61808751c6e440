import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createTokens, silentLogger } from "../../platform/index.ts";
import { reportWorker } from "./report-worker.ts";
import { createWorkerToken } from "./worker-token.ts";

test.each([
  ["token_expired", 401, "has expired"],
  ["token_missing", 401, "has expired"],
  ["token_invalid", 401, "is none of that API server's"],
  ["token_of_another_worker", 403, 'is for another worker than "w"'],
])(
  "a worker whose token the API refuses with %s is told so at its start, with the option and the remedy",
  async (reason, status, why) => {
    const detail = { reason, message: "no" };
    const server = createServer((_, answer) => answer.writeHead(status).end(JSON.stringify({ detail })));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/execution`;
    const options = {
      apiUrl,
      token: { current: () => "x", forReport: () => "x", accepted() {}, refused() {} },
      name: "w",
      instance: "i",
      version: "1",
      heartbeatSec: 1,
      patienceSec: 30,
    };
    const facts = () => ({ queues: ["default"], concurrency: 1, active: 0 });
    try {
      await expect(reportWorker(options, facts, { onQueues() {}, onShutdown() {} }, silentLogger)).rejects.toMatchObject({
        code: "worker_token_refused",
        message: expect.stringMatching(
          new RegExp(`${apiUrl} does not take \\[workers\\] token: it ${why}.*baram worker token --name w`),
        ),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);

test("an API that refuses a good token for a while, as with a wrong secret, is asked again each minute, and the worker goes on", async () => {
  let isWrong = false;
  let refusals = 0;
  const server = createServer((_, answer) => {
    if (isWrong) refusals++;
    if (!isWrong) return void answer.end(JSON.stringify({ isYours: true, queues: null, shutdown: false }));
    answer.writeHead(401).end(JSON.stringify({ detail: { reason: "token_invalid", message: "no" } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/execution`;
  let nowMs = Date.now();
  const tokens = createTokens(new Uint8Array(48).fill(1));
  const changes: boolean[] = [];
  const token = createWorkerToken({
    token: await tokens.sign("baram:worker", { subject: "w" }, 3_600),
    name: "w",
    path: null,
    onChange: (isGood) => void changes.push(isGood),
    logger: silentLogger,
    now: () => nowMs,
  });
  const options = { apiUrl, token, name: "w", instance: "i", version: "1", heartbeatSec: 0.02, patienceSec: 30 };
  const facts = () => ({ queues: ["default"], concurrency: 1, active: 0 });
  const reported = await reportWorker(options, facts, { onQueues() {}, onShutdown() {} }, silentLogger);
  try {
    isWrong = true;
    await expect.poll(() => changes).toEqual([false]);
    isWrong = false;
    nowMs += 59_000;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([changes, refusals]).toEqual([[false], 1]);
    nowMs += 1_000;
    await expect.poll(() => changes).toEqual([false, true]);
  } finally {
    await reported.leave();
    server.closeAllConnections();
    server.close();
  }
});

function startAt(server: Server, lines: string[], heartbeatSec = 0.01) {
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/execution`;
  const token = { current: () => "x", forReport: () => "x", accepted() {}, refused() {} };
  const options = { apiUrl, token, name: "w", instance: "i", version: "1", heartbeatSec, patienceSec: 0.1 };
  const write = (_: object, message: string) => void lines.push(message);
  const logger = { ...silentLogger, info: write, warn: write };
  return reportWorker(
    options,
    () => ({ queues: ["default"], concurrency: 1, active: 0 }),
    { onQueues() {}, onShutdown() {} },
    logger,
  );
}

const holder = { instance: "00000000-0000-4000-8000-000000000000", hostname: "elsewhere", pid: 7, silentForSec: 3 };

test.each<[string, number, string, string, RegExp]>([
  [
    "whose name is taken",
    200,
    JSON.stringify({ isYours: false, holder }),
    "worker_name_taken",
    /^A worker named "w" runs on elsewhere/,
  ],
  ["with another server at its URL", 404, "<html><title>404</title></html>", "api_unreachable", /cannot be reached to register/],
])("a worker %s says so once while it waits, and never that the API is back", async (_, status, body, code, line) => {
  let calls = 0;
  const server = createServer((_, answer) => {
    calls++;
    answer.writeHead(status, { "content-type": body.startsWith("{") ? "application/json" : "text/html" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const lines: string[] = [];
  try {
    await expect(startAt(server, lines)).rejects.toMatchObject({ code });
    expect(calls).toBeGreaterThan(2);
    expect(lines).toEqual([expect.stringMatching(line)]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("the report that the worker is offline is the last to arrive, even if an earlier one is slow", async () => {
  const stored: string[] = [];
  const server = createServer(async (request, answer) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { state } = JSON.parse(body);
    await new Promise((resolve) => setTimeout(resolve, state === "draining" ? 100 : 0));
    stored.push(state);
    answer.writeHead(200, { "content-type": "application/json" }).end('{"isYours":true,"queues":null,"shutdown":false}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const worker = await startAt(server, [], 60);
    worker.draining();
    await worker.leave();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(stored).toEqual(["running", "draining", "offline"]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
