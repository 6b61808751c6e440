import { expect, test } from "vitest";
import type { Outcome } from "../../contracts/index.ts";
import { createMasker } from "../../platform/index.ts";
import { ApiRefusal } from "./api-client.ts";
import { type Attempt, forwardCall, learnFromOrder, maskerOf, maskOutcome } from "./attempt.ts";

const PASSWORD = "hunter2-the-password";
const WINDOW_MS = 600_000;

function knowing(...secrets: string[]) {
  const masker = createMasker();
  for (const secret of secrets) masker.add(secret);
  return masker;
}

test("an outcome is masked in all that is shown: error, reason, fields, label; what tasks get stays as it is", () => {
  const masker = knowing(PASSWORD);
  const xcoms = [{ key: "return_value", value: PASSWORD }];
  const failed: Outcome = {
    state: "failed",
    error: { name: `E${PASSWORD}`, message: `no ${PASSWORD}`, stack: `at ${PASSWORD}` },
    retryable: true,
    xcoms,
    renderedFields: { query: PASSWORD, env: { API_TOKEN: "not known" } },
    renderedMapIndex: `${"x".repeat(245)}${PASSWORD}`.slice(0, 250),
  };
  expect(maskOutcome(failed, masker)).toEqual({
    state: "failed",
    error: { name: "E***", message: "no ***", stack: "at ***" },
    retryable: true,
    xcoms,
    renderedFields: { query: "***", env: { API_TOKEN: "***" } },
    renderedMapIndex: `${"x".repeat(245)}***`,
  });
  const skipped: Outcome = { state: "skipped", reason: PASSWORD, xcoms };
  expect(maskOutcome(skipped, masker)).toEqual({ state: "skipped", reason: "***", xcoms });
});

/** An attempt whose runner has this masker, and a client that keeps what it is sent and gives these answers. */
function rig(answers: Record<string, unknown> = {}) {
  const sent: { method: string; params: unknown }[] = [];
  const written: string[] = [];
  const attempt = {
    runner: { masker: createMasker() },
    token: "t",
    isLost: false,
    log: { write: (line: { event: string }) => written.push(line.event) },
  } as unknown as Attempt;
  const client = {
    async post(_path: string, call: { method: string; params: unknown }) {
      sent.push(call);
      if (!(call.method in answers)) throw new ApiRefusal(409, "no", "refused", {});
      return { result: answers[call.method] };
    },
  } as unknown as Parameters<typeof forwardCall>[0];
  const call = (method: Parameters<typeof forwardCall>[2], params: unknown) =>
    forwardCall(client, attempt, method, params, WINDOW_MS);
  return { attempt, sent, written, call, mask: (text: string) => maskerOf(attempt).mask(text) };
}

test("rendered fields of a running task, a run's note and a variable's description are masked before they are sent", async () => {
  const { attempt, sent, call } = rig({ putRenderedFields: null, triggerDagRun: null, setVariable: null });
  maskerOf(attempt).add(PASSWORD);
  await call("putRenderedFields", { fields: { query: `x ${PASSWORD}`, password: "unknown" } });
  await call("triggerDagRun", { dagId: "d", note: PASSWORD, conf: { given: PASSWORD } });
  await call("setVariable", { key: "k", value: PASSWORD, description: PASSWORD });
  expect(sent.map(({ params }) => params)).toEqual([
    { fields: { query: "x ***", password: "***" } },
    { dagId: "d", note: "***", conf: { given: PASSWORD } },
    { key: "k", value: PASSWORD, description: "***" },
  ]);
});

test("a secret that a task sets is known even if the call is refused; one that it names is known and never sent", async () => {
  const { sent, call, mask } = rig();
  await expect(call("setVariable", { key: "my_token", value: "set-by-task", description: null })).rejects.toThrow("refused");
  await call("maskSecret", { value: { any: ["named-secret", 1234567] } });
  expect(mask("set-by-task named-secret 1234567")).toBe("*** *** ***");
  expect(sent.map(({ method }) => method)).toEqual(["setVariable"]);
});

test("what a process has read beyond the bound is told once in the log of the try that read it", async () => {
  const { written, call } = rig();
  for (let n = 0; n < 3; n++) await call("maskSecret", { value: Array.from({ length: 600 }, (_, at) => `secret ${n} ${at}.`) });
  expect(written).toEqual([expect.stringContaining("more secrets than are kept in mind")]);
});

test("a call whose token expired while the API was away waits for the heartbeat's new one", async () => {
  const { attempt, call } = rig();
  const tokens: string[] = [];
  const client = {
    async post(_path: string, _call: unknown, token: string) {
      tokens.push(token);
      if (token === "t") throw new ApiRefusal(401, "token_expired", "expired");
      return { result: "read" };
    },
  } as unknown as Parameters<typeof forwardCall>[0];
  const read = forwardCall(client, attempt, "getVariable", { key: "k" }, WINDOW_MS);
  setTimeout(() => {
    attempt.token = "new";
  }, 150);
  expect(await read).toBe("read");
  expect(tokens).toEqual(["t", "new"]);
  attempt.token = "t";
  await expect(forwardCall(client, attempt, "getVariable", { key: "k" }, 200)).rejects.toThrow("expired");
  await expect(call("getVariable", {})).rejects.toThrow("refused");
});

test("a try's conf and what it kept over a deferral hold secrets by their names", () => {
  const masker = createMasker();
  const dagRun = { conf: { db_password: "from-conf" } };
  const resume = { kwargs: { headers: { Authorization: "Bearer from-kwargs" } }, event: [{ token: "from-event" }] };
  const order = { type: "run", context: { dagRun, resume } };
  learnFromOrder(masker, order as unknown as Parameters<typeof learnFromOrder>[1]);
  expect(masker.mask("from-conf from-kwargs from-event")).toBe("*** *** ***");
});
