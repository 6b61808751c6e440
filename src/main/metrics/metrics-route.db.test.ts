import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { signUserToken } from "../../../tests/support/user-token.ts";
import { loadConfig } from "../../config/index.ts";
import { createTokens, silentLogger } from "../../platform/index.ts";
import { createKnownUsers, removeUser } from "../../public-api/index.ts";
import { openStore } from "../../store/index.ts";
import { createMetrics } from "./create-metrics.ts";
import { addMetricsRoute, mayScrape } from "./metrics-route.ts";

let database: TestDatabase;
const tokens = createTokens(new Uint8Array(48).fill(1));
const { prometheus } = createMetrics(loadConfig({ BARAM_HOME: "/nowhere/at/all" }), silentLogger);
let now = 0;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

function createScrape(token: string | null, store = database.store) {
  const app = new Hono();
  const users = createKnownUsers(store, { now: () => now });
  if (prometheus) addMetricsRoute(app, prometheus, mayScrape(token, { tokens, users }));
  return async (authorization?: string) =>
    (await app.request("/metrics", { headers: authorization === undefined ? {} : { authorization } })).status;
}

test("metrics are for users of any role, as long as they are users, and for the token of the option", async () => {
  const scrape = createScrape("scrape-me");
  const viewer = `Bearer ${await signUserToken(database.store, tokens, { username: "ada", role: "viewer" })}`;
  const worker = `Bearer ${await tokens.sign("baram:worker", { subject: "ada" }, 60)}`;
  for (const wrong of [undefined, "", "Bearer", "Bearer scrape-you", "Basic scrape-me", worker])
    expect(await scrape(wrong)).toBe(401);
  expect(await scrape("Bearer scrape-me")).toBe(200);
  expect(await scrape(viewer)).toBe(200);
  await removeUser(database.store, "ada");
  now += 1_000;
  expect(await scrape(viewer)).toBe(401);
  expect(await createScrape(null)("Bearer null")).toBe(401);
});

test("while the database is away, the token of the option is enough", async () => {
  const address = { host: "127.0.0.1", port: 1, user: "x", password: "x", database: "x" };
  const away = openStore({ address, poolSize: 1, retryWindowMs: 0, applicationName: "away", logger: silentLogger });
  const scrape = createScrape("scrape-me", away);
  expect(await scrape("Bearer scrape-me")).toBe(200);
  expect(await scrape(`Bearer ${await tokens.sign("baram:user", { subject: "ada", version: "1" }, 60)}`)).toBe(503);
  await away.close();
});
