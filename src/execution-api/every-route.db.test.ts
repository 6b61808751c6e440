import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi } from "../../tests/support/execution-api.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }] });
});
afterAll(() => database.drop());

const OPEN = ["GET /health", "GET /health/ping"];
/** These carry a token with each item of their body; batch.db.test.ts and logs.db.test.ts hold them to it. */
const BY_ITEM = ["POST /baram/batch", "POST /baram/heartbeat", "POST /baram/logs"];
const routes = () => [
  ...new Set(api.app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`)),
];
const filled = (path: string, id = "x") => path.replaceAll(/:(\w+)(\{.*?\})?/g, (_, name: string) => (name === "id" ? id : "1"));
const guarded = () => routes().filter((route) => ![...OPEN, ...BY_ITEM].includes(route));

test("there are routes to walk", () => {
  expect(guarded().length).toBeGreaterThanOrEqual(30);
});

test("every route but health answers 401 without a good token, whatever else is wrong with the request", async () => {
  const expired = await api.resources.tokens.sign("baram:task", { subject: "x" }, -7_200);
  const ofUser = await api.resources.tokens.sign("baram:user", { subject: "x", role: "admin" }, 60);
  for (const route of guarded()) {
    const [method = "", path = ""] = route.split(" ");
    for (const token of [null, "nonsense", expired, ofUser]) {
      const answer = await api.ask(method, filled(path), { token });
      expect(`${route} ${answer.status}`).toBe(`${route} 401`);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(answer.json.detail.message).toBeTypeOf("string");
    }
  }
});

test("a route of one task instance refuses every other one's token", async () => {
  const [one, other] = [await api.running("d", "a"), await api.running("d", "a")];
  const own = guarded().filter((route) => /\/(task-instances|task-reschedules)\/:id/.test(route));
  expect(own.length).toBe(8);
  for (const route of own) {
    const [method = "", path = ""] = route.split(" ");
    for (const id of [one.id, one.id.toUpperCase(), `${one.id} `, "x"]) {
      const token = path.endsWith("/run") ? other.workload : other.token;
      const answer = await api.ask(method, filled(path, encodeURIComponent(id)), { token });
      expect(`${route} ${answer.status}`).toBe(`${route} 403`);
    }
  }
  // The own id, but not as it is written in the token: what is compared is the text.
  const loud = await api.ask("PUT", `/task-instances/${one.id.toUpperCase()}/rtif`, { token: one.token, body: {} });
  expect(loud.status).toBe(403);
});

test("a workload's token starts its try and opens nothing else, and a running try's token does not start it", async () => {
  const one = await api.queued("d", "a");
  expect((await api.start({ ...one, workload: one.token })).status).toBe(401);
  for (const route of guarded()) {
    if (/\/run$|callbacks|modules/.test(route)) continue;
    const [method = "", path = ""] = route.split(" ");
    const answer = await api.ask(method, filled(path, one.id), { token: one.workload });
    expect(`${route} ${answer.status}`).toBe(`${route} 401`);
  }
});

test("health is open, and what Baram does not have is 404", async () => {
  expect((await api.ask("GET", "/health")).json).toEqual({ status: "healthy" });
  expect((await api.ask("GET", "/health/ping")).json).toEqual({ ok: ["database"], failing: [] });
  const { token } = await api.running("d", "a");
  for (const path of ["/assets/by-name", "/hitlDetails/x", "/store/ti/x/k", "/task-instances/breadcrumbs"])
    expect((await api.ask("GET", path, { token })).status).toBe(404);
});
