/** `baram executors check` of a local executor: a real supervisor process, the real execution API, no scheduler. */
import { mkdtempSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Config, loadConfig } from "../../src/config/index.ts";
import { type CheckLine, checkExecutor } from "../../src/main/check-executor.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ withScheduler: false });
}, 60_000);
afterAll(() => engine?.stop());

async function check(given: { config?: Config; apiUrl?: string; name?: string; timeoutSec?: number } = {}) {
  const lines: CheckLine[] = [];
  const isGood = await checkExecutor(given.name ?? "LocalExecutor", {
    config: given.config ?? engine.config,
    store: engine.store,
    apiUrl: given.apiUrl ?? engine.apiUrl,
    queue: "default",
    timeoutSec: given.timeoutSec ?? 20,
    logger: silentLogger,
    onLine: (line) => lines.push(line),
  });
  const { rows } = await engine.store.query("select 1 from executor_probe");
  expect(rows).toEqual([]);
  return { isGood, lines: lines.map(({ step, ok, text }) => `${step} ${ok} ${text}`) };
}

test("an executor whose workers start, reach the API and get their log to where it is read passes", async () => {
  const { isGood, lines } = await check();
  expect(lines).toEqual([
    expect.stringMatching(/^launch true handed to a worker/),
    expect.stringMatching(/^reach true worker .+, Baram \d+\./),
    expect.stringMatching(/^log true its line is at the log store/),
  ]);
  expect(isGood).toBe(true);
});

test("an API that is not there is a fault of reaching it, with the URL, the remedy, and what this machine sees", async () => {
  const { isGood, lines } = await check({ apiUrl: "http://127.0.0.1:1", timeoutSec: 2 });
  expect(lines).toEqual([
    "launch true accepted",
    expect.stringMatching(
      /^reach false no worker reached the API at http:\/\/127\.0\.0\.1:1 within 2 s.*supervisor process.*base_url.*From this machine: .*ECONNREFUSED .*; probably the API server does not run where/,
    ),
  ]);
  expect(isGood).toBe(false);
});

test("something else in the API's place is found at once", async () => {
  const server = http.createServer((_, answer) =>
    answer.writeHead(404, { "content-type": "text/html" }).end("<h1>Not here</h1>"),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { isGood, lines } = await check({ apiUrl });
    expect(lines.at(-1)).toMatch(/^reach false the API answered 404 \("Not here"\); probably there is no execution API/);
    expect(isGood).toBe(false);
  } finally {
    server.close();
  }
});

test("a secret that is not the API server's is named", async () => {
  const home = mkdtempSync(join(tmpdir(), "baram-other-"));
  const secret = Buffer.alloc(48, 9).toString("base64");
  const config = loadConfig({ BARAM_HOME: home, BARAM__API_AUTH__JWT_SECRET: secret });
  const { isGood, lines } = await check({ config, timeoutSec: 2 });
  expect(lines.at(-1)).toMatch(/^reach false .*another \[api_auth\] jwt_secret/);
  expect(isGood).toBe(false);
});

test("a log folder that the API server does not read is a fault of the log", async () => {
  const folder = mkdtempSync(join(tmpdir(), "baram-elsewhere-"));
  const config = { ...engine.config, logging: { ...engine.config.logging, base_log_folder: folder } };
  const { isGood, lines } = await check({ config });
  expect(lines.at(-1)).toMatch(
    /^log false the worker wrote its log, and the API server does not find it in .*same base_log_folder/,
  );
  expect(isGood).toBe(false);
});

test("what an executor needs and does not have is a fault of the launch", async () => {
  const { isGood, lines } = await check({ name: "EcsExecutor" });
  expect(lines).toEqual([expect.stringMatching(/^launch false \[ecs_executor\] cluster is not set/)]);
  expect(isGood).toBe(false);
});
