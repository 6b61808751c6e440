import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DURATION_MAX_SEC, type RunnerCalls } from "../../contracts/index.ts";
import type { TriggerCaller } from "../contract.ts";
import { createGate } from "./builtin-context.ts";
import { judgeAnswer } from "./http.ts";
import { type BuiltinContext, runBuiltin } from "./index.ts";

const DAY_MS = 86_400_000;

function contextWith(answers: Record<string, () => unknown> = {}, signal = new AbortController().signal) {
  const logged: string[] = [];
  const call = (async (method: string) => answers[method]?.() ?? null) as TriggerCaller;
  const ctx: BuiltinContext = { signal, now: Date.now, call, log: (_level, message) => logged.push(message) };
  return { ctx, logged };
}

test("a moment that is past fires at once, one to come when it is there, and an abort ends the wait", async () => {
  const at = (ms: number) => ({ moment: new Date(Date.now() + ms).toISOString() });
  const { ctx } = contextWith();
  await expect(runBuiltin("baram.triggers.DateTimeTrigger", at(-1_000), ctx)).resolves.toMatchObject({ kind: "event" });
  const from = Date.now();
  await runBuiltin("baram.triggers.DateTimeTrigger", at(60), ctx);
  expect(Date.now() - from).toBeGreaterThanOrEqual(59);
  const stop = new AbortController();
  const waiting = runBuiltin("baram.triggers.DateTimeTrigger", at(100 * DAY_MS), contextWith({}, stop.signal).ctx);
  stop.abort();
  await expect(waiting).rejects.toThrow();
});

describe("waits that are longer than Node's own timers", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, 100 * DAY_MS])("a moment in %d ms fires then, and not before", async (ms) => {
    const moment = new Date(Date.now() + ms).toISOString();
    let hasFired = false;
    void runBuiltin("baram.triggers.DateTimeTrigger", { moment }, contextWith().ctx).then(() => {
      hasFired = true;
    });
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(hasFired).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(hasFired).toBe(true);
  });

  test.each([50 * 86_400, DURATION_MAX_SEC])("a poll every %d s asks every %d s", async (pollIntervalSec) => {
    let asked = 0;
    const answers = { getTaskStates: () => ({ dagExists: true, missingTaskIds: [], runs: ++asked && [] }) };
    const stop = new AbortController();
    const kwargs = { dagId: "other", runIds: ["r"], pollIntervalSec };
    const waiting = runBuiltin("baram.triggers.ExternalTaskTrigger", kwargs, contextWith(answers, stop.signal).ctx).catch(
      () => {},
    );
    await vi.advanceTimersByTimeAsync(2 * pollIntervalSec * 1_000 - 1);
    expect(asked).toBe(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(asked).toBe(3);
    stop.abort();
    await waiting;
  });
});

describe("bounds", () => {
  const POLLING = {
    FileTrigger: { path: "/nowhere" },
    ExternalTaskTrigger: { dagId: "other", runIds: ["r"] },
    HttpTrigger: { url: "http://127.0.0.1:1/" },
  };
  /** "waits" until it is aborted, or with what it fails or fires at once. */
  async function fateOf(name: string, kwargs: object): Promise<string> {
    const stop = new AbortController();
    const answers = { getTaskStates: () => ({ dagExists: true, missingTaskIds: [], runs: [] }) };
    const run = runBuiltin(`baram.triggers.${name}`, kwargs, contextWith(answers, stop.signal).ctx).then(
      (end) => end.kind,
      (error: Error) => (stop.signal.aborted ? "waits" : error.message),
    );
    await Promise.race([run, new Promise((resolve) => setTimeout(resolve, 30))]);
    stop.abort();
    return run;
  }

  test.each(Object.entries(POLLING))("%s polls at intervals up to the bounds, and refuses any beyond", async (name, kwargs) => {
    for (const pollIntervalSec of [0.05, DURATION_MAX_SEC])
      expect(await fateOf(name, { ...kwargs, pollIntervalSec }), `${pollIntervalSec}`).toBe("waits");
    for (const pollIntervalSec of [0.049, DURATION_MAX_SEC + 1, Number.MAX_SAFE_INTEGER])
      expect(await fateOf(name, { ...kwargs, pollIntervalSec }), `${pollIntervalSec}`).toContain("pollIntervalSec");
  });

  test("a moment is waited for up to the bounds, and any beyond is refused", async () => {
    expect(await fateOf("DateTimeTrigger", { moment: "9999-12-31T23:59:59.999Z" })).toBe("waits");
    expect(await fateOf("DateTimeTrigger", { moment: "1900-01-01T00:00:00Z" })).toBe("event");
    for (const moment of ["9999-12-31T23:59:59.999-01:00", "+010000-01-01T00:00:00Z", "1899-12-31T23:59:59.999Z"])
      expect(await fateOf("DateTimeTrigger", { moment }), moment).toContain("moment");
  });
});

test("an external run is waited for until it has come to an end", async () => {
  const run = (state: string) => ({
    dagExists: true,
    missingTaskIds: [],
    runs: [{ runId: "r", logicalDate: null, state, tasks: [] }],
  });
  const answers = ["running", "running", "success"].map((state) => run(state) as RunnerCalls["getTaskStates"]["result"]);
  const { ctx, logged } = contextWith({ getTaskStates: () => answers.shift() });
  const kwargs = { dagId: "other", runIds: ["r"], pollIntervalSec: 0.05 };
  expect(await runBuiltin("baram.triggers.ExternalTaskTrigger", kwargs, ctx)).toMatchObject({
    kind: "event",
    payload: { kind: "done" },
  });
  expect(logged, "the same reason twice").toHaveLength(1);
  const failed = contextWith({ getTaskStates: () => run("failed") });
  expect(await runBuiltin("baram.triggers.ExternalTaskTrigger", kwargs, failed.ctx)).toMatchObject({
    payload: { kind: "failed" },
  });
});

test("a URL is asked until it answers as expected, with the connection's login, and nowhere but at its host", async () => {
  let asked = 0;
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    asked++;
    response.statusCode = asked === 1 ? 503 : 200;
    response.end(JSON.stringify({ job: { state: asked < 3 ? "RUNNING" : "DONE" } }));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const connection = {
    connId: "c",
    connType: "http",
    description: null,
    host: "127.0.0.1",
    schema: null,
    login: "u",
    password: "hidden",
    port,
    extra: {},
  };
  const { ctx, logged } = contextWith({ getConnection: () => connection });
  const kwargs = { url: "/job", connId: "c", pollIntervalSec: 0.05, json: { path: "job.state", oneOf: ["DONE"] } };
  try {
    const end = await runBuiltin("baram.triggers.HttpTrigger", kwargs, ctx);
    expect(end).toEqual({ kind: "event", payload: { status: 200, body: { job: { state: "DONE" } } } });
    expect(asked).toBe(3);
    expect(seen[0]).toBe(`Basic ${Buffer.from("u:hidden").toString("base64")}`);
    const stop = new AbortController();
    const elsewhere = contextWith({ getConnection: () => connection }, stop.signal);
    const waiting = runBuiltin("baram.triggers.HttpTrigger", { ...kwargs, url: "http://127.0.0.2:1/x" }, elsewhere.ctx);
    await expect.poll(() => elsewhere.logged.join()).toContain("away from the connection's");
    stop.abort();
    await expect(waiting).rejects.toThrow();
  } finally {
    server.close();
    server.closeAllConnections();
  }
  expect(logged.join()).not.toContain("hidden");
});

test.each([
  ["an unexpected status is waited over", { status: 404, body: null }, {}, undefined],
  ["a status that fails", { status: 410, body: null }, { failedStatuses: [410] }, "failed"],
  ["a status that was asked for", { status: 404, body: null }, { expectedStatuses: [404] }, "event"],
  ["a value that is not there yet", { status: 200, body: {} }, { json: { path: "a.b", failedWhen: [] } }, undefined],
  [
    "any value where none is named",
    { status: 200, body: { a: [{ b: 0 }] } },
    { json: { path: "a.0.b", failedWhen: [] } },
    "event",
  ],
  ["a value that fails", { status: 200, body: { s: "ERROR" } }, { json: { path: "s", failedWhen: ["ERROR"] } }, "failed"],
  ["an inherited name is no value", { status: 200, body: {} }, { json: { path: "constructor", failedWhen: [] } }, undefined],
])("%s", (_name, answer, wanted, kind) => {
  expect(judgeAnswer({ url: "u", failedStatuses: [], ...wanted }, answer)?.kind).toBe(kind);
});

test("a gate lets so many through at once, and all in the end", async () => {
  const gate = createGate(3);
  let inside = 0;
  let most = 0;
  const work = () =>
    gate(async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 1));
      inside--;
    });
  await Promise.all(Array.from({ length: 20 }, work));
  expect([most, inside]).toEqual([3, 0]);
});
