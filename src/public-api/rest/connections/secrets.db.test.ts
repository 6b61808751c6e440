import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { createNameRule } from "../../../platform/index.ts";
import { findConnection, findVariable, logEvent } from "../../../store/index.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
});
afterAll(() => database.drop());

const stored = () => findConnection(database.store, api.resources.cipher, "wh");

test("a connection's password and secret extras are written and never answered", async () => {
  const body = {
    connection_id: "wh",
    conn_type: "postgres",
    host: "db",
    port: 5432,
    login: "etl",
    password: "s3cret-word",
    extra: JSON.stringify({ sslmode: "require", api_key: "k3y", nested: { token: "t0ken" } }),
  };
  const created = await api.ask("POST", "/api/v2/connections", { body, as: "op" });
  expect(created.status).toBe(201);
  for (const answer of [
    created,
    await api.get("/api/v2/connections/wh"),
    await api.get("/api/v2/connections"),
    await api.get("/api/v2/eventLogs"),
  ]) {
    for (const secret of ["s3cret-word", "k3y", "t0ken"]) expect(answer.text).not.toContain(secret);
  }
  expect(created.json).toMatchObject({ connection_id: "wh", password: "***", port: 5432 });
  expect(JSON.parse(created.json.extra)).toEqual({ sslmode: "require", api_key: "***", nested: { token: "***" } });
  expect(await stored()).toMatchObject({ password: "s3cret-word", extra: { api_key: "k3y" } });
  expect((await api.ask("POST", "/api/v2/connections", { body })).status).toBe(409);
});

test("an answer sent back changes what was changed in it and keeps the secrets", async () => {
  const shown = (await api.get("/api/v2/connections/wh")).json;
  const changed = await api.ask("PATCH", "/api/v2/connections/wh", { body: { ...shown, host: "db2" } });
  expect(changed.status).toBe(200);
  expect(await stored()).toMatchObject({
    host: "db2",
    password: "s3cret-word",
    extra: { api_key: "k3y", nested: { token: "t0ken" } },
  });
  const body = { connection_id: "wh", conn_type: "mysql", host: "ignored" };
  await api.ask("PATCH", "/api/v2/connections/wh?update_mask=conn_type", { body });
  expect(await stored()).toMatchObject({ connType: "mysql", host: "db2" });
  await api.ask("PATCH", "/api/v2/connections/wh", { body: { ...body, password: null } });
  expect((await stored())?.password).toBeNull();
});

test("wrong connections are refused by field", async () => {
  for (const [body, field] of [
    [{ connection_id: "a b", conn_type: "x" }, "connection_id"],
    [{ connection_id: "a", conn_type: "x", port: 70_000 }, "port"],
    [{ connection_id: "a", conn_type: "x", extra: "[1]" }, "extra"],
    [{ connection_id: "a" }, "conn_type"],
  ] as const) {
    const answer = await api.ask("POST", "/api/v2/connections", { body });
    expect([answer.status, answer.json.detail[0].loc]).toEqual([422, ["body", field]]);
  }
  expect((await api.get("/api/v2/connections/none")).status).toBe(404);
  expect((await api.ask("DELETE", "/api/v2/connections/wh")).status).toBe(204);
  expect((await api.ask("DELETE", "/api/v2/connections/wh")).status).toBe(404);
});

test("variables are made, changed and removed; those that sound like secrets are masked", async () => {
  const make = (body: object) => api.ask("POST", "/api/v2/variables", { body });
  expect((await make({ key: "bucket", value: { name: "b" }, description: "where" })).json).toMatchObject({
    key: "bucket",
    value: '{"name":"b"}',
  });
  expect((await make({ key: "bucket", value: "x" })).status).toBe(409);
  expect((await make({ key: "db_password", value: "hunter2" })).json.value).toBe("***");
  const back = { key: "db_password", value: "***", description: "new" };
  expect((await api.ask("PATCH", "/api/v2/variables/db_password", { body: back })).json.description).toBe("new");
  expect((await findVariable(database.store, api.resources.cipher, "db_password"))?.value).toBe("hunter2");
  expect((await api.get("/api/v2/variables?variable_key_pattern=buck")).json.total_entries).toBe(1);
  expect((await api.ask("PATCH", "/api/v2/variables/none", { body: { key: "none", value: "" } })).status).toBe(404);
  expect((await api.ask("DELETE", "/api/v2/variables/bucket")).status).toBe(204);
  expect((await api.get("/api/v2/variables/bucket")).status).toBe(404);
});

test("secrets in a connection's other fields, in lists and in texts are hidden, and kept when the answer is sent back", async () => {
  const extra = {
    list: [{ "stripe-api-key": "sk-1" }, { name: "plain" }],
    endpoint: "amqp://u:url-pass@broker/x",
    options: "sslmode=require;Password=in-text;a=b",
    creds: { deep: [1, "deep-secret"] },
    pin_token: 4711471,
    use_proxy: true,
    keyfile: null,
    config: '{"api_key":"json-key","region":"eu"}',
  };
  const body = {
    connection_id: "deep",
    conn_type: "http",
    host: "https://me:host-pass@example.com",
    extra: JSON.stringify(extra),
  };
  const created = await api.ask("POST", "/api/v2/connections", { body });
  for (const secret of ["sk-1", "url-pass", "in-text", "deep-secret", "4711471", "json-key", "host-pass"])
    expect(created.text, secret).not.toContain(secret);
  expect(created.json.host).toBe("https://me:***@example.com");
  expect(JSON.parse(created.json.extra)).toEqual({
    list: [{ "stripe-api-key": "***" }, { name: "plain" }],
    endpoint: "amqp://u:***@broker/x",
    options: "sslmode=require;Password=***;a=b",
    creds: "***",
    pin_token: "***",
    use_proxy: true,
    keyfile: null,
    config: '{"api_key":"***","region":"eu"}',
  });
  const changed = JSON.parse(created.json.extra);
  changed.list[1].name = "other";
  changed.config = '{"api_key":"***","region":"us"}';
  const sent = { ...created.json, extra: JSON.stringify(changed), login: "new" };
  expect((await api.ask("PATCH", "/api/v2/connections/deep", { body: sent })).status).toBe(200);
  const kept = await findConnection(database.store, api.resources.cipher, "deep");
  expect(kept).toMatchObject({ host: body.host, login: "new" });
  expect(kept?.extra).toEqual({
    ...extra,
    list: [{ "stripe-api-key": "sk-1" }, { name: "other" }],
    config: '{"api_key":"json-key","region":"us"}',
  });
});

test("a variable of JSON is shown without the passwords in it, and a changed answer keeps them", async () => {
  const value = { db: { host: "a", password: "in-json" }, url: "redis://:in-url@cache" };
  const made = await api.ask("POST", "/api/v2/variables", { body: { key: "settings", value } });
  expect(JSON.parse(made.json.value)).toEqual({ db: { host: "a", password: "***" }, url: "redis://:***@cache" });
  const change = { key: "settings", value: { db: { host: "b", password: "***" }, url: "redis://:***@cache" } };
  expect((await api.ask("PATCH", "/api/v2/variables/settings", { body: change })).status).toBe(200);
  const kept = await findVariable(database.store, api.resources.cipher, "settings");
  expect(JSON.parse(kept?.value ?? "")).toEqual({ db: { host: "b", password: "in-json" }, url: "redis://:in-url@cache" });
});

test("a large variable is shown without its passwords", async () => {
  const make = (key: string, length: number) =>
    api.ask("POST", "/api/v2/variables", { body: { key, value: { pad: "x".repeat(length), password: "BIGsecret99" } } });
  const large = await make("large", 270_000);
  expect(large.text).not.toContain("BIGsecret99");
  expect(JSON.parse(large.json.value).password).toBe("***");
});

test("an entry of the audit log is shown without what has a sensitive name", async () => {
  await logEvent(database.store, { event: "test", owner: "ada", extra: { reason: "ok", nested: { api_token: "aud-token" } } });
  const answer = await api.get("/api/v2/eventLogs?event=test");
  expect(JSON.parse(answer.json.event_logs[0].extra)).toEqual({ reason: "ok", nested: { api_token: "***" } });
});

test("a run's conf is shown without what has a sensitive name, and the deployment may add names", async () => {
  const rule = createNameRule(["geheim"]);
  const own = await createTestApi(database.store, { options: { isSensitiveName: rule } });
  await saveDagFixture(database.store, { dagId: "conf", tasks: [{ taskId: "t" }] });
  const conf = { password: "conf-pass", Geheimnis: "g", day: 1 };
  const body = { dag_run_id: "r", logical_date: null, conf };
  const made = await own.ask("POST", "/api/v2/dags/conf/dagRuns", { body });
  expect(made.json.conf).toEqual({ password: "***", Geheimnis: "***", day: 1 });
});
