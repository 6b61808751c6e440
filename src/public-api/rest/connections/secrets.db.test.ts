import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { createTestApi, type TestApi } from "../../../../tests/support/public-api.ts";
import { findConnection, findVariable } from "../../../store/index.ts";

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
