/**
 * Invalid values in the query and the body of each route. The paths name existing items, so that nothing refuses the request
 * earlier.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Role } from "../../src/public-api/index.ts";
import { beatWorker, saveImportError } from "../../src/store/index.ts";
import { saveDagFixture } from "../support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { NO_OBJECTS, NONSENSE_IN_QUERY, spoiled } from "../support/nonsense.ts";
import { createTestApi, type JsonAnswer, type TestApi } from "../support/public-api.ts";

type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
};
type Operation = {
  method: string;
  path: string;
  parameters: { name: string; in: string; required?: boolean; schema: Schema }[];
  body: Schema | null;
};

let database: TestDatabase;
let api: TestApi;
let schemas: Record<string, Schema> = {};
let operations: Operation[] = [];
/** The values of the path parameters. */
const THERE: Record<string, string> = {
  dag_id: "d",
  dag_run_id: "r",
  task_id: "a",
  map_index: "-1",
  task_try_number: "1",
  try_number: "1",
  version_number: "1",
  pool_name: "p",
  variable_key: "v",
  connection_id: "c",
  worker_name: "w",
  xcom_key: "k",
};

beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
  await makeAll();
  const { json } = await api.ask("GET", "/openapi.json", { as: null });
  schemas = json.components.schemas;
  operations = Object.entries(json.paths as Record<string, Record<string, JsonAnswer>>).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase(),
      path: path
        .replace("{task_id}/listMapped", "m/listMapped")
        .replaceAll(/\{(\w+)\}/g, (_, name: string) => THERE[name] ?? `no ${name}`),
      parameters,
      body: requestBody?.content["application/json"].schema ?? null,
    })),
  );
});
afterAll(() => database.drop());

/** Creates the items that the paths name. */
async function makeAll(): Promise<void> {
  const { store } = database;
  await saveDagFixture(store, {
    dagId: "d",
    tasks: [
      { taskId: "a" },
      { taskId: "m", mapping: { kind: "expand", inputs: [{ name: "x", source: { type: "literal", length: 2 } }] } },
    ],
    timetable: { type: "cron", expression: "0 0 * * *", timezone: "UTC", intervals: true },
  });
  const made = async (path: string, body: object) => {
    const { status, json } = await api.ask("POST", `/api/v2/${path}`, { body });
    expect(`${path} ${status} ${status < 300 ? "" : JSON.stringify(json)}`).toBe(`${path} ${status} `);
    return json;
  };
  await made("dags/d/dagRuns", { dag_run_id: "r", logical_date: "2026-01-01T00:00:00Z" });
  await made("pools", { name: "p", slots: 1 });
  await made("variables", { key: "v", value: "1" });
  await made("connections", { connection_id: "c", conn_type: "http" });
  const dates = { from_date: "2026-02-01T00:00:00Z", to_date: "2026-02-02T00:00:00Z" };
  THERE.backfill_id = String((await made("backfills", { dag_id: "d", ...dates })).id);
  await store.query("update task_instance set state = 'success', try_number = 1");
  await store.query(
    "insert into xcom (dag_run_id, task_id, map_index, key, value) select id, 'a', -1, 'k', '1' from dag_run where run_id = 'r'",
  );
  await saveImportError(store, {
    bundleName: "dags",
    relativePath: "x.ts",
    kind: "evaluation",
    file: "x.ts",
    line: null,
    column: null,
    message: "m",
    stacktrace: "s",
  });
  const [ids] = (
    await store.query<{ error: number; event: number }>(
      "select (select id from import_error) as error, (select min(id) from log) as event",
    )
  ).rows;
  THERE.import_error_id = String(ids?.error);
  THERE.event_log_id = String(ids?.event);
  const report = {
    hostname: "h",
    pid: 1,
    version: "1",
    queues: ["default"],
    concurrency: 1,
    active: 0,
    state: "running" as const,
    takesOver: null,
  };
  await beatWorker(store, "w", { instance: randomUUID(), ...report }, 30);
}

function isStrict(schema: Schema): boolean {
  const { type, enum: values, format, items } = resolve(schema);
  if (type === "array") return items !== undefined && isStrict(items);
  return type === "integer" || type === "number" || type === "boolean" || values !== undefined || format === "date-time";
}

const resolve = (schema: Schema): Schema => (schema.$ref ? resolve(schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {}) : schema);

/** A valid body with all optional fields. */
function example(given: Schema): unknown {
  const schema = resolve(given);
  const one = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].find(({ type }) => type !== "null");
  if (one) return example(one);
  const type = Array.isArray(schema.type) ? schema.type.find((name) => name !== "null") : schema.type;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.properties)
    return Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, example(inner)]));
  if (type === "array") return schema.items ? [example(schema.items)] : [];
  if (type === "integer" || type === "number") return 1;
  if (type === "boolean") return true;
  if (type === "object") return {};
  return schema.format === "date-time" ? "2026-01-01T00:00:00Z" : "x";
}

const DEEP = `${'{"a":'.repeat(40_000)}1${"}".repeat(40_000)}`;
const DEEP_LIST = `${"[".repeat(40_000)}${"]".repeat(40_000)}`;

let turn = 0;
/**
 * Every nth element, with a different start each time: each place gets some of the invalid values, and each value is used in many
 * places.
 */
function few<T>(all: readonly T[], nth = 6): T[] {
  turn++;
  return all.filter((_, at) => (at + turn) % nth === 0);
}

async function mustRefuseOrServe(
  method: string,
  at: string,
  raw?: string,
  as: Role | null = "admin",
): Promise<{ status: number; detail: string }> {
  const answer = await api.ask(method, at, { raw, as });
  const asked = `${as} ${method} ${at.slice(0, 300)} ${raw?.slice(0, 300) ?? ""}`;
  expect(`${asked} ${answer.status} ${answer.status < 500 ? "" : answer.text}`).toBe(`${asked} ${answer.status} `);
  if (answer.status >= 400) expect(answer.json, asked).toHaveProperty("detail");
  return { status: answer.status, detail: JSON.stringify(answer.json?.detail) };
}

test("every path names something that is there: what is only read is answered", async () => {
  for (const { method, path, parameters } of operations) {
    if (method !== "GET") continue;
    const needed = parameters.filter((one) => one.in === "query" && one.required).map(({ name }) => `${name}=${THERE[name]}`);
    const { status } = await mustRefuseOrServe(method, `${path}?${needed.join("&")}`);
    expect(`${path} ${status}`).toBe(`${path} 200`);
  }
});

test("nonsense in any parameter of a query is refused by its name or means nothing, and fails no route", async () => {
  let asked = 0;
  let refused = 0;
  for (const { method, path, parameters, body } of operations) {
    const raw = body ? JSON.stringify(example(body)) : undefined;
    for (const { name, schema } of parameters.filter((one) => one.in === "query"))
      for (const bad of ["%00", ...few(NONSENSE_IN_QUERY)]) {
        const { status, detail } = await mustRefuseOrServe(method, `${path}?${name}=${bad}`, raw);
        asked++;
        if (status === 422 && detail.includes(name)) refused++;
        else if (bad === "%00" && isStrict(schema)) expect(`${path} ${name} ${status} ${detail}`).toContain("refused");
      }
  }
  expect(asked).toBeGreaterThan(1_000);
  expect(refused / asked).toBeGreaterThan(0.3);
}, 120_000);

test("a body that is no object is refused by every route that takes one", async () => {
  const taking = operations.filter(({ body }) => body !== null);
  expect(taking.length).toBeGreaterThan(20);
  for (const { method, path } of taking)
    for (const raw of NO_OBJECTS) {
      const { status } = await mustRefuseOrServe(method, path, raw);
      expect(`${method} ${path} ${raw.slice(0, 20)} ${[400, 422].includes(status)}`).toBe(
        `${method} ${path} ${raw.slice(0, 20)} true`,
      );
    }
});

test("whoever asks, a body of nonsense is judged after the role: nobody without a token is answered, no viewer writes", async () => {
  let asked = 0;
  for (const { method, path, body } of operations) {
    if (body === null || path.startsWith("/auth/")) continue;
    const bodies = [...few([...spoiled(example(body))], 8).map((bad) => JSON.stringify(bad)), ...few(NO_OBJECTS, 3), DEEP];
    for (const as of [null, "viewer", "user", "op"] as const)
      for (const raw of bodies) {
        const { status } = await mustRefuseOrServe(method, path, raw, as);
        if (as === null) expect(`${method} ${path} ${status}`).toBe(`${method} ${path} 401`);
        if (as === "viewer") expect(`${method} ${path} ${status}`).toBe(`${method} ${path} 403`);
        asked++;
      }
  }
  expect(asked).toBeGreaterThan(400);
}, 120_000);

test("a body that is nested 40,000 deep is refused with the bound by every route that takes one, as is a text in it that is JSON", async () => {
  for (const { method, path, body } of operations) {
    if (body === null) continue;
    for (const raw of [DEEP, DEEP_LIST, `{"x":${DEEP}}`]) {
      const { status, detail } = await mustRefuseOrServe(method, path, raw);
      expect([method, path, status, detail]).toEqual([
        method,
        path,
        400,
        expect.stringContaining("nested deeper than 1000 levels"),
      ]);
    }
  }
  const extra = `${'{"a":'.repeat(15_000)}1${"}".repeat(15_000)}`;
  for (const [method, path] of [
    ["POST", "/api/v2/connections"],
    ["PATCH", "/api/v2/connections/c"],
  ] as const) {
    const raw = JSON.stringify({ connection_id: method === "POST" ? "deep" : "c", conn_type: "http", extra });
    const { status, detail } = await mustRefuseOrServe(method, path, raw);
    expect([status, detail]).toEqual([400, expect.stringContaining("body.extra must not be nested deeper than 1000 levels")]);
  }
});

test("a parameter of a query that is nested 5,000 deep fails no route", async () => {
  for (const { method, path, parameters, body } of operations)
    for (const { name } of parameters.filter((one) => one.in === "query"))
      await mustRefuseOrServe(method, `${path}?${name}=${"%5B".repeat(5_000)}`, body ? JSON.stringify(example(body)) : undefined);
});

test("nonsense in any place of a body is refused or taken, and fails no route", async () => {
  let refused = 0;
  for (const { method, path, body } of operations) {
    if (body === null) continue;
    for (const bad of few([...spoiled(example(body))], 5)) {
      const { status } = await mustRefuseOrServe(method, path, JSON.stringify(bad));
      if (status === 422) refused++;
    }
  }
  expect(refused).toBeGreaterThan(200);
}, 120_000);
