import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../tests/support/public-api.ts";
import { createUser, ensureAdmin } from "../index.ts";

let database: TestDatabase;
let api: TestApi;
let now = 1_000_000;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store, { resources: { clock: { now: () => now } } });
  await ensureAdmin(database.store, "correct horse");
});
afterAll(() => database.drop());

const login = (username: string, password: string) => api.ask("POST", "/auth/token", { as: null, body: { username, password } });

test("the right password gives a token that opens the API with the user's role", async () => {
  const answer = await login("admin", "correct horse");
  expect(answer.status).toBe(201);
  const headers = { authorization: `Bearer ${answer.json.access_token}` };
  expect((await api.ask("GET", "/api/v2/dags", { as: null, headers })).status).toBe(200);
  const claims = await api.resources.tokens.verify("baram:user", answer.json.access_token);
  expect(claims).toMatchObject({ subject: "admin", role: "admin" });
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
  expect(await ensureAdmin(database.store, "another one")).toBe(false);
  await createUser(database.store, { username: "ada", password: "lovelace1815", role: "viewer" });
  const again = createUser(database.store, { username: "ada", password: "lovelace1815", role: "op" });
  await expect(again).rejects.toMatchObject({ code: "user_exists" });
  const short = createUser(database.store, { username: "bob", password: "short", role: "op" });
  await expect(short).rejects.toMatchObject({ code: "password_too_short" });
  const odd = createUser(database.store, { username: "a b\n", password: "long enough", role: "op" });
  await expect(odd).rejects.toMatchObject({ code: "username_invalid" });
  const { rows } = await database.store.query<{ hash: string }>("select password_hash as hash from app_user");
  for (const { hash } of rows) expect(hash).toMatch(/^scrypt\$32768\$8\$/);
});

test("a role may do what the ones below it may", async () => {
  const statuses = async (method: string, path: string, body: unknown) =>
    Promise.all(
      (["viewer", "user", "op", "admin"] as const).map(async (as) => (await api.ask(method, path, { as, body })).status),
    );
  expect(await statuses("POST", "/api/v2/dags/none/dagRuns", {})).toEqual([403, 404, 404, 404]);
  expect(await statuses("PATCH", "/api/v2/pools/none", {})).toEqual([403, 403, 404, 404]);
});
