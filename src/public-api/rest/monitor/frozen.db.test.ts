import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createFreezableServer } from "../../../../tests/support/freezable-server.ts";
import { createTestApi } from "../../../../tests/support/public-api.ts";
import { silentLogger } from "../../../platform/index.ts";
import { openStore, type Store } from "../../../store/index.ts";

let database: TestDatabase;
let server: Awaited<ReturnType<typeof createFreezableServer>>;
let store: Store;
const TIMEOUT_MS = 300;
beforeEach(async () => {
  database = await createTestDatabase();
  server = await createFreezableServer(database.address);
  const options = { poolSize: 4, retryWindowMs: 1_000, statementTimeoutMs: TIMEOUT_MS, applicationName: "frozen" };
  store = openStore({ ...options, address: server.address, logger: silentLogger });
});
afterEach(async () => {
  await server.close();
  await store.close();
  await database.drop();
});

test("while PostgreSQL stands still, health answers in time that it does, and a request is 503 with the reason", async () => {
  const api = await createTestApi(store);
  expect((await api.get("/api/v2/monitor/health")).json.metadatabase.status).toBe("healthy");
  expect((await api.get("/api/v2/dags")).status).toBe(200);
  expect(server.freeze()).toBeGreaterThan(0);

  const began = performance.now();
  const health = await Promise.all(Array.from({ length: 20 }, () => api.ask("GET", "/api/v2/monitor/health", { as: null })));
  expect(performance.now() - began).toBeLessThan(4_000);
  expect(new Set(health.map(({ status, json }) => `${status} ${json.metadatabase.status}`))).toEqual(new Set(["200 unhealthy"]));

  const answer = await api.get("/api/v2/dags");
  expect(answer.status).toBe(503);
  expect(answer.json.detail).toMatch(/did not answer within 0\.3 s|cannot be reached/);
  expect(performance.now() - began).toBeLessThan(15_000);
});

test("a statement that takes too long is cancelled by the server, is told as such, and leaves its connection usable", async () => {
  const late = expect.objectContaining({ code: "database_timeout", message: expect.stringContaining("[api] database_timeout") });
  await expect(store.query("select pg_sleep(5)")).rejects.toEqual(late);
  const inTransaction = store.transaction((tx) => tx.query("select pg_sleep(5)"));
  await expect(inTransaction).rejects.toEqual(late);
  const { rows } = await store.query<{ n: number }>("select 1 as n");
  expect(rows).toEqual([{ n: 1 }]);
  const { rows: left } = await database.store.query(
    "select 1 from pg_stat_activity where query like '%pg_sleep(5)%' and state = 'active' and pid <> pg_backend_pid()",
  );
  expect(left).toEqual([]);
});
