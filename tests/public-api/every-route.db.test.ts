import { OpenAPIHono, z } from "@hono/zod-openapi";
import { afterAll, beforeAll, expect, test } from "vitest";
import { silentLogger } from "../../src/platform/index.ts";
import { answerError } from "../../src/public-api/answer-error.ts";
import type { ApiEnv } from "../../src/public-api/auth/index.ts";
import { endpoint } from "../../src/public-api/endpoint.ts";
import { createVersionFactsCache } from "../../src/public-api/rest/version-facts.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";
import { signUserToken } from "../support/user-token.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = await createTestApi(database.store);
});
afterAll(() => database.drop());

const OPEN = [
  "GET /api/v2/version",
  "GET /api/v2/monitor/health",
  "POST /auth/token",
  "POST /auth/token/cli",
  "GET /openapi.json",
];

/** The registered routes, not the documented ones: middleware and the answer to unknown paths are registered for all methods. */
const routes = () => [
  ...new Set(api.app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`)),
];

const filled = (path: string) =>
  path.replaceAll(/:(\w+)/g, (_, name: string) => (/number|index|_id_|import_error_id|event_log_id/.test(name) ? "1" : "x"));

test("there are routes to walk", () => {
  expect(routes().length).toBeGreaterThan(50);
});

test("every route but the open ones answers 401 with a challenge when there is no token, or not a good one", async () => {
  for (const route of routes().filter((one) => !OPEN.includes(one))) {
    const [method = "", path = ""] = route.split(" ");
    for (const authorization of [undefined, "Bearer nonsense", "Basic YWRtaW46YWRtaW4="]) {
      const answer = await api.ask(method, filled(path), { as: null, headers: authorization ? { authorization } : {} });
      expect(`${route} ${answer.status}`).toBe(`${route} 401`);
      expect(answer.headers.get("www-authenticate")).toContain("Bearer");
      expect(answer.json.detail).toBeTypeOf("string");
    }
  }
});

test("a token of a worker opens nothing", async () => {
  for (const audience of ["baram:workload", "baram:task"] as const) {
    const token = await api.resources.tokens.sign(audience, { subject: "admin" }, 60);
    const answer = await api.ask("GET", "/api/v2/dags", { as: null, headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(401);
  }
});

test("a route that no middleware guards refuses everybody, and does nothing", async () => {
  const app = new OpenAPIHono<ApiEnv>();
  app.onError((error, c) => answerError(error, c, silentLogger));
  const { resources, options } = api;
  let calls = 0;
  for (const access of ["viewer", "admin"] as const)
    endpoint(
      { app, resources, options, facts: createVersionFactsCache() },
      `delete /${access}`,
      { tag: "x", summary: "x", access, audit: "x", answer: z.null() },
      async () => {
        calls++;
        return null;
      },
    );
  for (const path of ["/viewer", "/admin"]) {
    const authorization = `Bearer ${await signUserToken(database.store, resources.tokens, { username: "root", role: "admin" })}`;
    expect((await app.request(path, { method: "DELETE" })).status).toBe(401);
    expect((await app.request(path, { method: "DELETE", headers: { authorization } })).status).toBe(401);
  }
  expect(calls).toBe(0);
  const { rows } = await database.store.query("select 1 from log where event = 'x'");
  expect(rows).toEqual([]);
});

test("an expired token is refused", async () => {
  const token = await signUserToken(database.store, api.resources.tokens, { username: "late", role: "admin" }, -5);
  const answer = await api.ask("GET", "/api/v2/dags", { as: null, headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(401);
});

test("a viewer may write nothing, and sees no connections or variables", async () => {
  for (const route of routes().filter((one) => !OPEN.includes(one))) {
    const [method = "", path = ""] = route.split(" ");
    if (method === "GET" && !/connections|variables/.test(path)) continue;
    const answer = await api.ask(method, filled(path), { as: "viewer", body: method === "GET" ? undefined : {} });
    expect(`${route} ${answer.status}`).toBe(`${route} 403`);
  }
});

test("no route fails on nonsense in its path: every answer is below 500 and is JSON with detail", async () => {
  const nonsense = ["..%2f..%2fetc%2fpasswd", "%00", "%F0%9F%92%A9", "a'%3Bdrop%20table%20dag%3B--", "%E0%A4%A", "9".repeat(400)];
  const queries = [
    "",
    "?limit=-1",
    "?offset=99999999999999999999",
    "?order_by=nope",
    "?limit=1e9&offset=NaN",
    "?tags=%00&dag_id_pattern=%00",
  ];
  for (const route of routes().filter((one) => one.includes("/api/v2/"))) {
    const [method = "", path = ""] = route.split(" ");
    for (const [index, bad] of nonsense.entries()) {
      const at = path.replaceAll(/:(\w+)/g, bad) + (queries[index] ?? "");
      const answer = await api.ask(method, at, {
        raw: method === "GET" ? undefined : ["{", "[]", "null", '{"a":1e400}', '"\\u0000"', "{}"][index],
      });
      expect(`${method} ${at} ${answer.status < 500}`).toBe(`${method} ${at} true`);
      if (answer.status >= 400) expect(answer.json).toHaveProperty("detail");
    }
  }
});

test("the OpenAPI document names every route, and nothing that is not there", async () => {
  const { json } = await api.ask("GET", "/openapi.json", { as: null });
  expect(json.openapi).toBe("3.1.0");
  const documented = Object.entries(json.paths as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
  );
  expect(documented.sort()).toEqual(
    routes()
      .filter((one) => one !== "GET /openapi.json")
      .sort(),
  );
  const text = JSON.stringify(json);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    expect(json.components.schemas).toHaveProperty(name ?? "");
});

test("unknown paths are 404 as JSON, and answers carry the security headers", async () => {
  const unknown = await api.get("/api/v2/nope");
  expect(unknown.status).toBe(404);
  expect(unknown.json.detail).toContain("/api/v2/nope");
  expect((await api.ask("GET", "/auth/nope", { as: null })).status).toBe(404);
  for (const answer of [unknown, await api.get("/api/v2/dags"), await api.ask("GET", "/api/v2/version", { as: null })]) {
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  }
});

test("a body over 1 MB is 413", async () => {
  const raw = JSON.stringify({ conf: { text: "x".repeat(1_100_000) } });
  const answer = await api.ask("POST", "/api/v2/dags/x/dagRuns", { raw });
  expect(answer.status).toBe(413);
  expect(answer.json.detail).toContain("1048576");
});
