import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { createTestExecutionApi, type TestExecutionApi, type TestTry } from "../../tests/support/execution-api.ts";
import { NO_OBJECTS, NONSENSE_IN_QUERY, spoiled } from "../../tests/support/nonsense.ts";
import { type ForwardedMethod, probeLogPath } from "../contracts/index.ts";
import { insertProbe, startProbe } from "../store/index.ts";

let database: TestDatabase;
let api: TestExecutionApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestExecutionApi(database.store);
  await saveDagFixture(database.store, { dagId: "d", tasks: [{ taskId: "a" }] });
});
afterAll(() => database.drop());

const OPEN = ["GET /health", "GET /health/ping"];
/** They take any good token; the tokens of their items decide about the items, as batch.db.test.ts and logs.db.test.ts show. */
const BY_ITEM = ["POST /baram/batch", "POST /baram/heartbeat", "POST /baram/logs"];
const routes = () => [
  ...new Set(api.app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`)),
];
const filled = (path: string, id = "x") => path.replaceAll(/:(\w+)(\{.*?\})?/g, (_, name: string) => (name === "id" ? id : "1"));
const guarded = () => routes().filter((route) => !OPEN.includes(route));

test("there are routes to walk", () => {
  expect(guarded().length).toBeGreaterThanOrEqual(33);
});

test("every route but health answers 401 without a good token, whatever else is wrong with the request", async () => {
  const expired = await api.resources.tokens.sign("baram:task", { subject: "x" }, -7_200);
  const ofUser = await api.resources.tokens.sign("baram:user", { subject: "x" }, 60);
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
    if (/\/run$|callbacks\/:id\/start|modules/.test(route) || BY_ITEM.includes(route)) continue;
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

const END = { end_date: "2024-05-01T00:00:00Z" };
const XCOM = { dagId: "d", runId: "r", taskId: "a", key: "k", includePriorDates: false };
const CALLS: Record<ForwardedMethod, object> = {
  getXcom: { ...XCOM, mapIndex: -1 },
  getXcomPage: { ...XCOM, after: 1 },
  setXcom: { key: "k", value: { a: 1 } },
  getConnection: { connId: "c" },
  getVariable: { key: "v" },
  setVariable: { key: "v", value: "1", description: "x" },
  deleteVariable: { key: "v" },
  triggerDagRun: { dagId: "d", runId: "r", logicalDate: "2024-05-01T00:00:00Z", conf: { a: 1 }, resetDagRun: true, note: "n" },
  getDagRunState: { dagId: "d", runId: "r" },
  getNextRunAfter: { dagId: "d", runId: "r" },
  getTaskStates: { dagId: "d", runIds: ["r"], logicalDates: ["2024-05-01T00:00:00Z"], taskIds: ["a"], taskGroupId: null },
  putRenderedFields: { fields: { a: [1] } },
};
const UUID = "00000000-0000-4000-8000-000000000000";
/** For each route that takes a body, such as it takes. "$id" and "$token" are the asking try's. */
const BODIES: Record<string, readonly unknown[]> = {
  "PATCH /task-instances/:id/run": [{ state: "running", start_date: END.end_date, hostname: "h", unixname: "u", pid: 1 }],
  "PATCH /task-instances/:id/state": [
    { state: "success", ...END, task_outlets: [{}], outlet_events: [{}], rendered_map_index: "x" },
    { state: "up_for_retry", ...END, retry_delay_seconds: 1, retry_reason: "x" },
    { state: "up_for_reschedule", ...END, reschedule_date: END.end_date },
    {
      state: "deferred",
      classpath: "x",
      trigger_kwargs: { a: 1 },
      trigger_timeout: "PT1M",
      next_method: "x",
      next_kwargs: { a: 1 },
    },
  ],
  "PUT /task-instances/:id/heartbeat": [{ hostname: "host-1", pid: 100 }],
  "PUT /task-instances/:id/rtif": [{ command: { a: [1] } }],
  "PATCH /task-instances/:id/rendered-map-index": ["x"],
  "PATCH /task-instances/:id/skip-downstream": [{ tasks: ["b", ["b", 0]] }],
  "POST /dag-runs/:dag/:run": [{ run_after: END.end_date, conf: { a: 1 }, reset_dag_run: true, note: "n" }],
  "PUT /variables/:key{.+}": [{ val: "1", description: "x" }],
  "POST /xcoms/:dag/:run/:task/:key{.+}": [{ a: [1] }],
  "POST /baram/batch": [
    {
      items: [
        {
          op: "finish",
          id: "$id",
          token: "$token",
          outcome: { state: "success", xcoms: [{ key: "k", value: 1 }], skipTasks: ["b"] },
        },
      ],
    },
    { items: [{ op: "run", id: "$id", token: "$token", hostname: "h", unixname: "u", pid: 1 }] },
  ],
  "POST /baram/heartbeat": [{ tries: [{ id: "$id", token: "$token" }] }],
  "POST /baram/logs": [{ pieces: [{ token: "$token", session: UUID, offset: 0, text: "x", isEnd: true, isAnew: true }] }],
  "POST /baram/call": Object.entries(CALLS).map(([method, params]) => ({ method, params })),
  "POST /baram/callbacks/:id/end": [{ state: "success" }],
  "POST /baram/probes/:id/start": [{ token: "$probe", hostname: "h", version: "1" }],
  "POST /baram/probes/:id/end": [{ logFault: "x" }],
  "POST /baram/workers/:name/heartbeat": [
    {
      instance: UUID,
      hostname: "h",
      pid: 1,
      version: "1",
      queues: ["q"],
      concurrency: 1,
      active: 0,
      state: "running",
      takesOver: UUID,
    },
  ],
};
/** These have no body, or do not look at it. */
const WITHOUT_BODY = ["POST /dag-runs/:dag/:run/clear", "POST /baram/callbacks/:id/start"];

const QUERY_NAMES = [
  ...["dag_id", "run_ids", "task_ids", "task_group_id", "logical_date", "logical_dates", "state", "states", "map_index"],
  ...["include_prior_dates", "offset", "start", "stop", "step", "mapped_length"],
];

/** Asks as the worker of an executor's check that is there. */
async function askAsProbe(route: string, raw = ""): Promise<{ status: number; text: string }> {
  const id = randomUUID();
  await insertProbe(database.store, id, "LocalExecutor");
  const isEnd = route.endsWith("/end");
  if (isEnd) await startProbe(database.store, id, { hostname: "h", version: "1" });
  const claims = { subject: id, ...(isEnd ? { logPath: probeLogPath(id) } : {}) };
  const token = await api.resources.tokens.sign("baram:probe", claims, 60);
  const [method = "", path = ""] = route.split(" ");
  const { status, json } = await api.ask(method, path.replace(":id", id), { token, raw: raw.replaceAll("$probe", token) });
  expect(`${route} ${raw} ${status < 500}`).toBe(`${route} ${raw} true`);
  return { status, text: JSON.stringify(json) };
}

/** Asks for a try that is there, with the token that the route takes. */
async function askAs(one: TestTry, route: string, query: string, raw?: string): Promise<{ status: number; text: string }> {
  const [method = "", path = ""] = route.split(" ");
  const VALUES: Record<string, string> = { dag: one.dagId, run: one.runId, task: one.taskId, id: one.id, hash: "0".repeat(64) };
  const at = path.replaceAll(/:(\w+)(\{.*?\})?/g, (_, name: string) => VALUES[name] ?? "1");
  const ofWorker = path.startsWith("/baram/workers")
    ? await api.resources.tokens.sign("baram:worker", { subject: "1" }, 60)
    : null;
  if (path.startsWith("/baram/probes")) return askAsProbe(route, raw);
  const token = ofWorker ?? (/\/run$|callbacks\/:id\/start/.test(path) ? one.workload : one.token);
  const { status, json } = await api.ask(method, at + query, {
    token,
    raw: raw?.replaceAll("$id", one.id).replaceAll("$token", one.token),
  });
  const asked = `${route} ${query} ${raw?.slice(0, 300) ?? ""} ${status}`;
  expect(`${asked} ${status < 500}`).toBe(`${asked} true`);
  expect([401, 403], `${asked}: it did not get past the door`).not.toContain(status);
  return { status, text: JSON.stringify(json) };
}

test("every route that may take a body is tried with nonsense in it, and takes what is spoiled for that", async () => {
  const taking = routes().filter((route) => /^(POST|PUT|PATCH) /.test(route));
  expect(taking.sort()).toEqual([...Object.keys(BODIES), ...WITHOUT_BODY].sort());
  for (const [route, bodies] of Object.entries(BODIES))
    for (const body of bodies) {
      const one = route.endsWith("/run") ? await api.queued("d", "a") : await api.running("d", "a");
      const { status, text } = await askAs(one, route, "", JSON.stringify(body));
      expect(`${route} ${[400, 422].includes(status) ? text : ""}`).toBe(`${route} `);
    }
});

test("nonsense in the body fails no route: it is refused, or taken for what it is", async () => {
  let refused = 0;
  for (const [route, bodies] of Object.entries(BODIES)) {
    const isStart = route.endsWith("/run");
    const raws = [
      ...NO_OBJECTS,
      ...bodies.flatMap((body) => [...spoiled(body)].filter((_, at) => at % 5 === 0).map((bad) => JSON.stringify(bad))),
    ];
    for (const raw of raws) {
      const one = isStart ? await api.queued("d", "a") : await api.running("d", "a");
      if ([400, 422].includes((await askAs(one, route, "", raw)).status)) refused++;
    }
  }
  expect(refused).toBeGreaterThan(200);
}, 120_000);

test("nonsense in the query fails no route, and each parameter refuses some of it by its name", async () => {
  let turn = 0;
  const refused = new Set<string>();
  for (const route of guarded().filter((path) => !/baram\/|^P\w+ \/task-instances/.test(path))) {
    const one = await api.running("d", "a");
    for (const name of QUERY_NAMES)
      for (const bad of ["%00", ...NONSENSE_IN_QUERY.filter((_, at) => (at + turn++) % 7 === 0)]) {
        const needed = ["dag_id=d&", "logical_date=2024-05-01T00:00:00Z&"].filter((one) => !one.startsWith(`${name}=`)).join("");
        const { status, text } = await askAs(one, route, `?${needed}${name}=${bad}`, route.startsWith("GET") ? undefined : "{}");
        if (status === 422 && text.includes(`query.${name}`)) refused.add(name);
      }
  }
  // Any text may be the name of a group.
  expect([...refused].sort()).toEqual(QUERY_NAMES.filter((name) => name !== "task_group_id").sort());
}, 120_000);
