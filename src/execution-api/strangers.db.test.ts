/** What the API does for someone without a token, over a real port: nothing, and at once. And how much it takes from someone with one. */
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { serve } from "@hono/node-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, WORKER } from "../../tests/support/execution-api.ts";
import { aloneMaxBytes, BATCH_MAX_BYTES } from "../contracts/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
let server: Server;
let port = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store, { xcomMaxBytes: 1_500_000 });
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }] });
  server = serve({ fetch: api.app.fetch, hostname: "127.0.0.1", port: 0 }) as Server;
  await new Promise<void>((resolve) => server.once("listening", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await database.drop();
});

type Raw = { head: string; sentBytes: number; rssMb: number };

/** Sends a head, and then the chunk again and again until the server closes the connection. */
async function pour(head: string, chunk: Buffer | null): Promise<Raw> {
  const before = process.memoryUsage.rss();
  let rss = before;
  let answer = "";
  let sentBytes = 0;
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const push = (): void => {
      rss = Math.max(rss, process.memoryUsage.rss());
      while (chunk && !socket.destroyed && sentBytes < 200_000_000) {
        sentBytes += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on("connect", () => {
      socket.write(head);
      push();
    });
    socket.on("drain", push);
    socket.on("data", (data) => {
      answer += data;
    });
    // A server that no longer reads may reset the connection; the answer was sent before.
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
    socket.setTimeout(10_000, () => reject(new Error(`no end within 10 s; ${answer}`)));
  });
  return { head: answer, sentBytes, rssMb: (rss - before) / 2 ** 20 };
}

const headOf = (path: string, more: string, method = "POST") =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${more}\r\n\r\n`;
const PATHS = ["/baram/batch", "/baram/heartbeat", "/baram/logs", "/baram/call", "/baram/nothing", "/nothing", "/variables/x"];

test.each(PATHS)("POST %s with 200 MB announced and nothing sent is refused at once, and the connection ends", async (path) => {
  const startedAt = performance.now();
  for (const more of ["content-length: 200000000", "content-length: 200000000\r\nauthorization: Bearer nonsense"]) {
    const { head } = await pour(headOf(path, more), null);
    expect(head).toMatch(/^HTTP\/1.1 401 /);
    expect(head.toLowerCase()).toContain("connection: close");
  }
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("an endless chunked body of a stranger is not read, and costs no memory", async () => {
  const data = Buffer.alloc(64 * 1024, 0x20);
  const chunk = Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
  for (const path of ["/baram/batch", "/baram/logs", "/nothing"]) {
    const { head, sentBytes, rssMb } = await pour(headOf(path, "transfer-encoding: chunked"), chunk);
    expect(head === "" || /^HTTP\/1.1 401 /.test(head), head).toBe(true);
    // What the sockets' buffers took, and not the 200 MB that were to come.
    expect(sentBytes).toBeLessThan(100_000_000);
    expect(rssMb).toBeLessThan(150);
  }
});

test("a body that is announced as larger than its call may be is refused before it is read", async () => {
  const one = await api.running("d", "a");
  const limits: [string, number, string][] = [
    ["/baram/batch", aloneMaxBytes(1_500_000), one.token],
    ["/baram/batch", BATCH_MAX_BYTES, one.workload],
    ["/baram/heartbeat", 2 * 2 ** 20, one.token],
    ["/baram/call", aloneMaxBytes(1_500_000), one.token],
    [`/task-instances/${one.id}/run`, 2 ** 20, one.workload],
  ];
  for (const [path, maxBytes, token] of limits) {
    const method = path.endsWith("/run") ? "PATCH" : "POST";
    const more = `content-length: ${maxBytes + 1}\r\nauthorization: Bearer ${token}`;
    expect((await pour(headOf(path, more, method), null)).head, path).toMatch(/^HTTP\/1.1 413 /);
  }
});

const url = (path: string) => `http://127.0.0.1:${port}${path}`;
const post = (path: string, token: string, body: string, method = "POST") =>
  fetch(url(path), { method, body, headers: { "content-type": "application/json", authorization: `Bearer ${token}` } });

test("an end that is larger than a batch goes alone with its own running try's token, and with no other", async () => {
  const one = await api.running("d", "a");
  const other = await api.running("d", "a");
  const xcoms = Array.from({ length: 4 }, (_, at) => ({ key: `k${at}`, value: "x".repeat(1_400_000) }));
  const outcome = { state: "success", xcoms, skipTasks: [] };
  const item = { op: "finish", id: one.id, token: one.token, outcome };
  const small = { op: "finish", id: other.id, token: other.token, outcome: { state: "success" } };
  const alone = JSON.stringify({ items: [item] });
  expect(alone.length).toBeGreaterThan(BATCH_MAX_BYTES);
  const worker = await api.resources.tokens.sign("baram:worker", { subject: "w" }, 60);
  expect((await post("/baram/batch", worker, alone)).status).toBe(413);
  expect((await post("/baram/batch", one.workload, alone)).status).toBe(413);
  expect((await post("/baram/batch", other.token, alone)).status).toBe(413);
  expect((await post("/baram/batch", one.token, JSON.stringify({ items: [item, small] }))).status).toBe(413);
  const never = await api.resources.tokens.sign("baram:task", { subject: "00000000-0000-4000-8000-000000000000" }, 60);
  expect((await post("/baram/batch", never, alone)).status).toBe(409);
  for (let told = 0; told < 2; told++) {
    const answer = await post("/baram/batch", one.token, alone);
    expect(await answer.json()).toEqual({ items: [{ id: one.id, ok: true }] });
  }
  expect(Object.keys(await api.xcoms(one)).sort()).toEqual(["k0", "k1", "k2", "k3"]);
});

test("an XCom of the greatest size is pushed by a running try, and not by one that has ended", async () => {
  const one = await api.running("d", "a");
  const body = JSON.stringify({ method: "setXcom", params: { key: "k", value: "x".repeat(1_499_000) } });
  expect((await post("/baram/call", one.token, body)).status).toBe(200);
  expect((await post(api.xcomPath(one, "k2"), one.token, JSON.stringify("é".repeat(700_000)))).status).toBe(201);
  await api.finish(one, { state: "success", xcoms: [], skipTasks: [] });
  expect((await post("/baram/call", one.token, body)).status).toBe(409);
});

test("a body that is nested 40,000 deep is a 400 that says so, in every route that takes a body", async () => {
  const deep = `${"[".repeat(40_000)}${"]".repeat(40_000)}`;
  const worker = await api.resources.tokens.sign("baram:worker", { subject: "1" }, 60);
  const routes = api.app.routes.filter(({ method }) => ["POST", "PUT", "PATCH"].includes(method));
  const seen = [];
  for (const route of new Set(routes.map(({ method, path }) => `${method} ${path}`))) {
    const [method = "", path = ""] = route.split(" ");
    const one = path.endsWith("/run") ? await api.queued("d", "a") : await api.running("d", "a");
    const values: Record<string, string> = { dag: one.dagId, run: one.runId, task: one.taskId, id: one.id };
    const at = path.replaceAll(/:(\w+)(\{.*?\})?/g, (_, name: string) => values[name] ?? "1");
    // Only a check's own token passes its end.
    if (/probes\/:id\/end/.test(path)) continue;
    const token = /workers|probes|callbacks\/:id\/start/.test(path) ? worker : path.endsWith("/run") ? one.workload : one.token;
    if (path.endsWith("/clear")) continue;
    for (const body of [deep, `{"a":${deep}}`]) {
      // These read only what they know, and leave the rest.
      if (body !== deep && /batch|heartbeat|logs|callbacks|workers|probes/.test(path)) continue;
      const { status, json } = await api.ask(method, at, { token, raw: body });
      expect([route, status, json?.detail?.message], route).toEqual([route, 400, expect.stringContaining("nested deeper")]);
      seen.push(route);
    }
  }
  expect(new Set(seen).size).toBeGreaterThanOrEqual(14);
});

test("of a batch with an item that is nested 40,000 deep only that item's try fails", async () => {
  const [bad, good] = [await api.running("d", "a"), await api.running("d", "a")];
  const deep = `${"[".repeat(40_000)}${"]".repeat(40_000)}`;
  const itemOf = (one: typeof bad, value: string) =>
    `{"op":"finish","id":"${one.id}","token":"${one.token}","outcome":{"state":"success","xcoms":[{"key":"k","value":${value}}]}}`;
  const { status, json } = await api.ask("POST", "/baram/batch", {
    token: good.token,
    raw: `{"items":[${itemOf(bad, deep)},${deep},${itemOf(good, "1")}]}`,
  });
  expect(status).toBe(200);
  expect(json.items).toEqual([
    { id: bad.id, ok: true, failed: expect.stringContaining("nested deeper than 1000") },
    expect.objectContaining({ id: null, status: 422 }),
    { id: good.id, ok: true },
  ]);
});

test("what the schemas cost is bounded by the body's size: 4 MB of tiny values take well under a second", async () => {
  const one = await api.running("d", "a");
  const value = `[${"[],".repeat(1_300_000)}[]]`;
  const raw = `{"items":[{"op":"finish","id":"${one.id}","token":"${one.token}","outcome":{"state":"success","xcoms":[{"key":"k","value":${value}}]}}]}`;
  const startedAt = performance.now();
  const { json } = await api.ask("POST", "/baram/batch", { token: one.token, raw });
  expect(json.items[0]).toMatchObject({ id: one.id, ok: true, failed: expect.stringContaining("larger than") });
  // 0.3 s was measured; zod's own schema of JSON took 2.5 s.
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("the health routes are open, and a batch of starts needs no more than any good token", async () => {
  expect((await fetch(url("/health"))).status).toBe(200);
  expect((await fetch(url("/health/ping"))).status).toBe(200);
  expect((await fetch(url("/health"), { method: "POST", body: "{}" })).status).toBe(401);
  const one = await api.queued("d", "a");
  const item = { op: "run", id: one.id, token: one.workload, ...WORKER };
  const answer = await post("/baram/batch", one.workload, JSON.stringify({ items: [item] }));
  expect(await answer.json()).toMatchObject({ items: [{ id: one.id, ok: true }] });
});
