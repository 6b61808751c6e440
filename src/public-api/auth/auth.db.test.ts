import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { BlockList } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../tests/support/public-api.ts";
import { silentLogger } from "../../platform/index.ts";
import { changePassword, changeRole, createUser, ensureAdmin, removeUser } from "../index.ts";

let database: TestDatabase;
let api: TestApi;
let now = 1_000_000;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store, { resources: { clock: { now: () => now } } });
  await ensureAdmin(database.store, () => "correct horse");
});
afterAll(() => database.drop());

const login = (username: string, password: string, from?: string, headers?: Record<string, string>) =>
  api.ask("POST", "/auth/token", { as: null, body: { username, password }, from, headers });
/** Each test has addresses of its own, since all share the limits. */
let networks = 0;
const network = () => `10.0.${networks++}`;

test("the right password gives a token that opens the API with the user's role", async () => {
  const answer = await login("admin", "correct horse");
  expect(answer.status).toBe(201);
  const headers = { authorization: `Bearer ${answer.json.access_token}` };
  expect((await api.ask("GET", "/api/v2/dags", { as: null, headers })).status).toBe(200);
  const claims = await api.resources.tokens.verify("baram:user", answer.json.access_token);
  expect(claims).toMatchObject({ subject: "admin", version: expect.stringMatching(/^[0-9a-f-]{36}$/) });
});

test("a form is taken as well, and a CLI token lives as long as the option says", async () => {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const raw = "grant_type=password&username=admin&password=correct+horse";
  const answer = await api.ask("POST", "/auth/token/cli", { as: null, raw, headers });
  expect(answer.status).toBe(201);
  const { expiresAt } = await api.resources.tokens.verify("baram:user", answer.json.access_token);
  expect((expiresAt ?? 0) - Date.now() / 1_000).toBeLessThanOrEqual(api.options.cliTokenTtlSec);
});

test("a wrong password and an unknown user get the same answer", async () => {
  const wrong = await login("admin", "battery staple");
  const unknown = await login("nobody", "battery staple");
  expect([wrong.status, unknown.status]).toEqual([401, 401]);
  expect(wrong.text).toBe(unknown.text);
});

test("after five failures a name must wait, and others need not", async () => {
  const guesses = await Promise.all(Array.from({ length: 8 }, () => login("mallory", "guess")));
  expect(guesses.map(({ status }) => status).sort()).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
  const limited = await login("mallory", "guess");
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await login("admin", "correct horse")).status).toBe(201);
  now += 61_000;
  expect((await login("mallory", "guess")).status).toBe(401);
});

test("malformed credentials are named", async () => {
  expect((await api.ask("POST", "/auth/token", { as: null, raw: "{" })).status).toBe(400);
  const lacking = await api.ask("POST", "/auth/token", { as: null, body: { username: "admin" } });
  expect(lacking.status).toBe(422);
  expect(lacking.json.detail[0].loc).toEqual(["body", "password"]);
});

test("passwords are stored as scrypt hashes, users are made once, and weak ones are refused", async () => {
  expect(await ensureAdmin(database.store, () => "another one")).toBe(false);
  await createUser(database.store, { username: "ada", password: "lovelace1815", role: "viewer" });
  const again = createUser(database.store, { username: "ada", password: "lovelace1815", role: "op" });
  await expect(again).rejects.toMatchObject({ code: "user_exists" });
  const shouted = createUser(database.store, { username: "ADA", password: "lovelace1815", role: "op" });
  await expect(shouted).rejects.toMatchObject({ code: "user_exists", message: expect.stringContaining('"ada", which differs') });
  const short = createUser(database.store, { username: "bob", password: "short", role: "op" });
  await expect(short).rejects.toMatchObject({ code: "password_too_short" });
  const odd = createUser(database.store, { username: "a b\n", password: "long enough", role: "op" });
  await expect(odd).rejects.toMatchObject({ code: "username_invalid" });
  const { rows } = await database.store.query<{ hash: string }>("select password_hash as hash from app_user");
  for (const { hash } of rows) expect(hash).toMatch(/^scrypt\$32768\$8\$/);
});

test("of names that differ only in case and are created at once, one is taken; such users from before stay", async () => {
  const { store } = database;
  const names = ["mia", "Mia", "MIA", "mIa"];
  const made = await Promise.allSettled(
    names.map((username) => createUser(store, { username, password: "long enough", role: "viewer" })),
  );
  expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  await store.query("insert into app_user (username, password_hash, role) values ('old', 'x', 'viewer'), ('OLD', 'x', 'viewer')");
  await changePassword(store, "OLD", "long enough");
  const again = createUser(store, { username: "OLD", password: "long enough", role: "viewer" });
  await expect(again).rejects.toMatchObject({ message: 'There is a user "OLD" already.' });
});

test("a role may do what the ones below it may", async () => {
  const statuses = async (method: string, path: string, body: unknown) =>
    Promise.all(
      (["viewer", "user", "op", "admin"] as const).map(async (as) => (await api.ask(method, path, { as, body })).status),
    );
  expect(await statuses("POST", "/api/v2/dags/none/dagRuns", {})).toEqual([403, 404, 404, 404]);
  expect(await statuses("PATCH", "/api/v2/pools/none", {})).toEqual([403, 403, 404, 404]);
});

test("one address is refused after 20 failures, whatever the names, and has 30 a minute then", async () => {
  const address = `${network()}.1`;
  const guesses = await Promise.all(Array.from({ length: 30 }, (_, at) => login(`name${at}`, "guess", address)));
  expect(guesses.filter(({ status }) => status === 401)).toHaveLength(20);
  expect((await login("admin", "correct horse", address)).status).toBe(429);
  expect((await login("admin", "correct horse", `${network()}.2`)).status).toBe(201);
  now += 2_000;
  expect((await login("admin", "correct horse", address)).status).toBe(201);
});

test("behind a trusted proxy the client's address counts, and nobody can choose it", async () => {
  const trustedProxies = new BlockList();
  trustedProxies.addSubnet("192.0.2.0", 24);
  const behind = await createTestApi(database.store, { resources: { clock: { now: () => now } }, options: { trustedProxies } });
  const guess = async (from: string, forwarded: string) => {
    const body = { username: "admin", password: "guess" };
    return (await behind.ask("POST", "/auth/token", { as: null, body, from, headers: { "x-forwarded-for": forwarded } })).status;
  };
  for (let turn = 0; turn < 5; turn++) expect(await guess("192.0.2.1", `6.6.6.${turn}, 203.0.113.7`)).toBe(401);
  expect(await guess("192.0.2.1", "6.6.6.9, 203.0.113.7, 192.0.2.2")).toBe(429);
  expect(await guess("192.0.2.1", "203.0.113.8")).toBe(401);
  // A peer that is no proxy says nothing about its address.
  for (let turn = 0; turn < 5; turn++) expect(await guess("198.51.100.1", `6.6.6.${turn}`)).toBe(401);
  expect(await guess("198.51.100.1", "6.6.6.9")).toBe(429);
});

test("a proxy that nobody trusts is told of, once", async () => {
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (_facts: object, message: string) => void warned.push(message) };
  const untold = await createTestApi(database.store, { resources: { logger } });
  const headers = { "x-forwarded-for": "203.0.113.1" };
  for (let turn = 0; turn < 2; turn++)
    await untold.ask("POST", "/auth/token", { as: null, body: { username: "ada", password: "guess" }, headers });
  expect(warned).toEqual([expect.stringContaining("[api] trusted_proxies")]);
});

test("failed logins are audited with name and address; a flood leaves a bounded number of rows", async () => {
  now += 3_600_000;
  const net = network();
  await login("mallory", "guess", `${net}.1`);
  const events = async () => (await api.get("/api/v2/eventLogs?event=login_failed&limit=100&order_by=-id")).json;
  const [last] = (await events()).event_logs;
  expect(last.owner).toBeNull();
  // A name that nobody has may be a password in the wrong field.
  expect(JSON.parse(last.extra)).toEqual({ address: `${net}.1`, reason: "wrong" });
  await login("admin", "guess", `${net}.9`);
  const [known] = (await events()).event_logs;
  expect(JSON.parse(known.extra)).toEqual({ username: "admin", address: `${net}.9`, reason: "wrong" });
  for (const as of ["viewer", "user"] as const) {
    const seen = await api.ask("GET", "/api/v2/eventLogs?event=login_failed", { as });
    expect(seen.json).toEqual({ event_logs: [], total_entries: 0 });
    expect((await api.ask("GET", `/api/v2/eventLogs/${known.event_log_id}`, { as })).status).toBe(404);
  }
  const before = (await events()).total_entries;
  for (let host = 2; host < 8; host++)
    await Promise.all(Array.from({ length: 7 }, () => login("mallory", "guess", `${net}.${host}`)));
  expect((await events()).total_entries - before).toBe(18);
}, 60_000);

test("a hundred logins at once keep neither files nor new connections waiting, and what the queue cannot hold is told when to come again", async () => {
  const net = network();
  const derive = vi.spyOn(api.resources.hashes, "derive");
  const logins = Promise.all(Array.from({ length: 100 }, (_, at) => login(`user${at}`, "guess", `${net}.${at}`)));
  // Each of them is in the hands of the pool.
  await expect.poll(() => derive.mock.calls.length, { timeout: 20_000, interval: 5 }).toBe(100);
  const began = performance.now();
  await Promise.all([readFile(import.meta.filename), lookup("localhost"), database.open().query("select 1")]);
  expect(performance.now() - began).toBeLessThan(1_000);
  const answers = await logins;
  const refused = answers.filter(({ status }) => status === 503);
  expect(answers.filter(({ status }) => status === 401).length + refused.length).toBe(100);
  expect(refused.length).toBeGreaterThanOrEqual(100 - 42);
  expect(refused.map(({ headers }) => Number(headers.get("retry-after")) > 0)).not.toContain(false);
}, 60_000);

test("a user who is demoted, deleted, or has a new password loses the old rights within a second", async () => {
  await createUser(database.store, { username: "eve", password: "long enough", role: "admin" });
  const enter = async (password: string) => (await login("eve", password, `${network()}.1`)).json.access_token as string;
  const headers = { authorization: `Bearer ${await enter("long enough")}` };
  const statuses = () =>
    Promise.all([
      api.ask("GET", "/api/v2/dags", { as: null, headers }).then(({ status }) => status),
      api.ask("DELETE", "/api/v2/pools/none", { as: null, headers }).then(({ status }) => status),
    ]);
  expect(await statuses()).toEqual([200, 404]);
  await changeRole(database.store, "eve", "viewer");
  now += 1_000;
  expect(await statuses()).toEqual([200, 403]);
  await changePassword(database.store, "eve", "another one");
  now += 1_000;
  expect(await statuses()).toEqual([401, 401]);
  const { text } = await api.ask("GET", "/api/v2/dags", { as: null, headers });
  expect(text).toContain("is gone, or has a new password, or it is from an earlier version of Baram");
  headers.authorization = `Bearer ${await enter("another one")}`;
  expect(await statuses()).toEqual([200, 403]);
  await removeUser(database.store, "eve");
  now += 1_000;
  expect(await statuses()).toEqual([401, 401]);
  // A new user of the same name is another one.
  await createUser(database.store, { username: "eve", password: "another one", role: "admin" });
  now += 1_000;
  expect(await statuses()).toEqual([401, 401]);
});

test("a token costs one statement a second, however many requests it makes", async () => {
  await api.get("/api/v2/dags");
  now += 1_000;
  const query = vi.spyOn(database.store, "query");
  await Promise.all(Array.from({ length: 20 }, () => api.get("/api/v2/version").then(() => api.get("/api/v2/pools"))));
  const asked = query.mock.calls.filter(([statement]) => (statement as { name?: string }).name === "find-user");
  query.mockRestore();
  expect(asked).toHaveLength(1);
});

test("the last admin stays, and a deleted admin does not come back with the next start", async () => {
  const { store } = database;
  await store.query("update app_user set role = 'op' where role = 'admin' and username <> 'admin'");
  await expect(removeUser(store, "admin")).rejects.toMatchObject({ code: "last_admin" });
  await expect(changeRole(store, "admin", "op")).rejects.toMatchObject({ code: "last_admin" });
  await changeRole(store, "admin", "admin");
  await createUser(store, { username: "second", password: "long enough", role: "admin" });
  const ends = await Promise.allSettled([removeUser(store, "admin"), removeUser(database.open(), "second")]);
  expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  await store.query("update app_user set role = 'admin' where username = 'ada'");
  await store.query("delete from app_user where username in ('admin', 'second')");
  expect(await ensureAdmin(store, () => "a password of old")).toBe(false);
  await expect(removeUser(store, "admin")).rejects.toMatchObject({ code: "user_not_found" });
});
