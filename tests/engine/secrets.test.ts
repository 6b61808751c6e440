/**
 * What a task does with a secret, whoever reads the API as a viewer does not see it: in logs, rendered fields, labels, notes, reasons and
 * the audit log, in any encoding, also in the next task of the same process, and from a trigger.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readEncryptionKey } from "../../src/config/index.ts";
import { addConnection, createCipher, setVariable } from "../../src/store/index.ts";
import { createFolderLogStore } from "../../src/task-logs/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";

const PASSWORD = `s3cr3t "pass\\word"/+<é>&'%20 tail-of-it`;
const API_KEY = "sk_live_0123456789abcdef";
const NESTED = "nested-t0ken-value";
const PIN = 74839201;
const IN_URL = "url-passw0rd";
const IN_JSON = "json-variable-pass";
const SET_BY_TASK = "set-by-the-task-42";
const TOLD_BY_TASK = "told-by-maskSecret-43";
const FROM_CONF = "conf-passw0rd-44";
const BY_DEPLOYMENT = "geheim-genug-45";

const bytes = (text: string) => Buffer.from(text, "utf8");
/** The texts that would give the secret away. */
function formsOf(secret: string): string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
    inspect(secret).slice(1, -1),
    bytes(secret).toString("hex"),
    bytes(secret).toString("hex").toUpperCase(),
    ...[0, 1, 2].map((before) =>
      bytes(" ".repeat(before) + secret)
        .toString("base64")
        .slice(4, -4),
    ),
    secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
  ];
}
const SECRETS = [PASSWORD, API_KEY, NESTED, String(PIN), IN_URL, IN_JSON, SET_BY_TASK, TOLD_BY_TASK, FROM_CONF, BY_DEPLOYMENT];
const FORMS = SECRETS.flatMap(formsOf);

let engine: Engine;
let api: TestApi;
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM__CORE__EXECUTOR: "SequentialExecutor",
      BARAM__CORE__SENSITIVE_VAR_CONN_NAMES: "passphrase_de, geheim",
      BARAM__LOGGING__MAX_LINE_BYTES: "1024",
    },
  });
  const cipher = createCipher(readEncryptionKey(engine.config));
  await addConnection(engine.store, cipher, {
    connId: "wh",
    connType: "http",
    description: null,
    host: `https://u:${IN_URL}@db.example.com`,
    schema: null,
    login: "etl",
    password: PASSWORD,
    port: 443,
    extra: { "stripe-api-key": API_KEY, deep: [{ token: NESTED }], pin_secret: PIN, mein_geheimnis: BY_DEPLOYMENT },
  });
  await setVariable(engine.store, cipher, {
    key: "settings",
    value: JSON.stringify({ db: { password: IN_JSON } }),
    description: null,
  });
  const logs = createFolderLogStore(engine.config.logging.base_log_folder);
  api = await createTestApi(engine.store, { resources: { logs, cipher } });
  await engine.load({
    "leaky.ts": dags(),
    "other.ts": `import { dag } from "baram"; export default dag({ dagId: "other", schedule: null }, () => {});`,
  });
}, 60_000);
afterAll(() => engine?.stop(), 60_000);

const gate = (taskId: string) => join(engine.home, `${taskId}-may-end`);

function dags(): string {
  return `
import { existsSync } from "node:fs";
import { inspect } from "node:util";
import { BaseOperator, BaseTrigger, chain, dag, defer, registerTrigger, SkipError, task, TaskFailedEvent } from "baram";

let kept = [];

const b64 = (text) => Buffer.from(text).toString("base64");
const encodings = (secret) => [
  secret, JSON.stringify({ secret }), JSON.stringify({ body: JSON.stringify({ secret }) }), encodeURIComponent(secret),
  new URLSearchParams({ a: secret, b: "c" }).toString(), "Basic " + b64("etl:" + secret), b64("u:" + secret), b64(secret), b64("us" + secret),
  Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("hex").toUpperCase(), inspect({ secret }),
  secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
  Object.assign(new URL("https://host"), { username: "u", password: secret }).href,
];

function tell(ctx) {
  for (const secret of kept) {
    for (const text of encodings(secret)) {
      console.log("out " + text);
      console.error(text);
      ctx.logger.info("logged " + text, { fact: text, [text]: [text], deep: { secret } });
      for (const before of [990, 1000, 1010, 1020]) console.log("x".repeat(before) + text);
      process.stdout.write("in pieces ");
      for (const character of text) process.stdout.write(character);
      process.stdout.write("\\n");
    }
    console.log({ secret });
  }
}

class Guard extends BaseTrigger {
  async *run(ctx) {
    const { password } = await ctx.connection("wh");
    ctx.logger.info("the trigger has " + password, { password, again: "x" + password });
    yield new TaskFailedEvent("it ends with " + password);
  }
}
registerTrigger("Guard", Guard);

class Show extends BaseOperator {
  static templateFields = ["query", "env", "list", "long"];
  async execute(ctx) {
    for (let n = 0; n < 600 && !existsSync(this.options.gate); n++) await ctx.sleep("50ms");
    if (this.options.dies) process.kill(process.pid, "SIGKILL");
  }
}

export default dag({ dagId: "leaky", schedule: null }, () => {
  const read = task({ taskId: "read" }, async (ctx) => {
    const { password, extra, host } = await ctx.connection("wh");
    const settings = await ctx.variable("settings", { json: true });
    await ctx.setVariable("fresh_token", ${JSON.stringify(SET_BY_TASK)});
    await ctx.maskSecret([{ anything: ${JSON.stringify(TOLD_BY_TASK)} }]);
    kept = [password, extra["stripe-api-key"], extra.deep[0].token, String(extra.pin_secret), extra.mein_geheimnis,
      host.split(":")[2].split("@")[0], settings.db.password, ${JSON.stringify(SET_BY_TASK)}, ${JSON.stringify(TOLD_BY_TASK)}, ctx.conf.db_password];
    ctx.logger.info("pin", { pin: extra.pin_secret });
    tell(ctx);
    await ctx.dags.trigger({ dagId: "other", runId: "by_leaky", note: "its note: " + password });
  })();
  const again = task({ taskId: "again" }, async (ctx) => tell(ctx))();
  const labelled = task({ taskId: "labelled", mapIndexTemplate: "{{ conn.wh.password }} {{ params.pad }}{{ conn.wh.password }}" }, async (_ctx, n) => n).expand([1]);
  const fails = task({ taskId: "fails" }, async () => {
    const error = new Error("no entry with " + encodings(kept[0]).join(" "), { cause: new Error("because of " + kept[1]) });
    error.name = "Error" + kept[1];
    throw error;
  })();
  const skips = task({ taskId: "skips", triggerRule: "all_done" }, async () => { throw new SkipError("not with " + kept[0]); })();
  const waits = task({ taskId: "waits", triggerRule: "all_done" }, async () => defer({ trigger: new Guard({ password: kept[0] }) }))();
  const show = new Show({
    taskId: "show",
    gate: ${JSON.stringify(gate("show"))},
    triggerRule: "all_done",
    query: "select {{ conn.wh.password }}",
    env: { DB_PWD: "{{ conn.wh.login }}-not-known", URL: "https://u:{{ conn.wh.password | urlencode }}@h", nested: [{ pin: "{{ conn.wh.extra_dejson.pin_secret }}" }] },
    list: ["{{ conn.wh.password }}", "{{ params.db_password }}"],
    long: ["y".repeat(4088) + "{{ conn.wh.password }}", "{{ conn.wh.password }}"],
  });
  const dead = new Show({ taskId: "dead", triggerRule: "all_done", query: "{{ conn.wh.password }}", gate: ${JSON.stringify(gate("dead"))}, dies: true });
  chain(read, again, labelled, fails, skips, waits, show, dead);
});
`;
}

/** All that a viewer can read about the DAG. */
async function readAll(runId: string): Promise<Map<string, string>> {
  const run = `/api/v2/dags/leaky/dagRuns/${runId}`;
  const read = new Map<string, string>();
  const look = async (path: string) => {
    const answer = await api.ask("GET", path, { as: "viewer" });
    expect(answer.status, `${path}: ${answer.text.slice(0, 300)}`).toBe(200);
    read.set(path, answer.text);
    return answer.json;
  };
  const { task_instances: instances } = await look(`${run}/taskInstances`);
  for (const { task_id: taskId, map_index: mapIndex, try_number: tryNumber } of instances) {
    if (tryNumber === 0) continue;
    await look(`${run}/taskInstances/${taskId}/logs/${tryNumber}?map_index=${mapIndex}&full_content=true`);
  }
  await look(run);
  await look("/api/v2/dags/other/dagRuns");
  await look("/api/v2/eventLogs?limit=100");
  return read;
}

test("no viewer sees a secret that tasks and triggers print, throw, render, label, note or defer with", {
  timeout: 120_000,
}, async () => {
  await engine.startTriggerer({ BARAM__CORE__SENSITIVE_VAR_CONN_NAMES: "geheim" });
  const runId = await engine.trigger("leaky", { conf: { db_password: FROM_CONF, pad: "z".repeat(180) } });
  const shown = async (taskId = "show") => {
    const answer = await api.ask("GET", `/api/v2/dags/leaky/dagRuns/${runId}/taskInstances/${taskId}`, { as: "viewer" });
    return answer.json as { state: string; rendered_fields: Record<string, unknown> };
  };
  // While it runs, its fields are shown already.
  await expect.poll(async () => Object.keys((await shown()).rendered_fields ?? {}).length, { timeout: 60_000 }).toBe(4);
  const early = await shown();
  expect(early.state).toBe("running");
  for (const form of FORMS) expect(JSON.stringify(early), form).not.toContain(form);
  writeFileSync(gate("show"), "");
  const fieldsOfDead = async () => (await shown("dead")).rendered_fields;
  await expect.poll(fieldsOfDead, { timeout: 60_000 }).toEqual({ query: "***" });
  writeFileSync(gate("dead"), "");
  await engine.finished("leaky", runId, 60_000);

  expect(await engine.states("leaky", runId)).toEqual({
    read: "success",
    again: "success",
    "labelled[0]": "success",
    fails: "failed",
    skips: "skipped",
    waits: "failed",
    show: "success",
    dead: "failed",
  });
  // Nothing told the end of its fields: what was shown while it ran has stayed.
  expect(await fieldsOfDead()).toEqual({ query: "***" });
  const all = await readAll(runId);
  const leaks: string[] = [];
  for (const [path, text] of all)
    for (const form of FORMS) {
      // The answer is JSON: a text in it is escaped once more.
      for (const seen of new Set([form, JSON.stringify(form).slice(1, -1)]))
        if (text.includes(seen))
          leaks.push(`${path}: ${form}: …${text.slice(text.indexOf(seen) - 60, text.indexOf(seen) + 60)}…`);
    }
  expect(leaks).toEqual([]);

  const { rendered_fields: fields } = await shown();
  expect(fields).toMatchObject({ query: "select ***", env: { DB_PWD: "***", URL: "https://u:***@h" }, list: ["***", "***"] });
  expect(String(fields.long)).toMatch(/y\*\*\*","… \(cut; \d+ characters\)$/);
  for (const taskId of ["read", "again"]) {
    const [log] = [...all].filter(([path]) => path.includes(`/${taskId}/logs/`)).map(([, text]) => text);
    expect(log?.match(/\*\*\*/g)?.length, taskId).toBeGreaterThan(500);
  }
  const everything = [...all.values()].join("\n");
  for (const shownText of [
    "its note: ***",
    "it ends with ***",
    "the trigger has ***",
    "not with ***",
    '"rendered_map_index":"*** zzz',
  ])
    expect(everything).toContain(shownText);
});

test("XComs are data for other tasks: the API hides what has a sensitive name, and the tasks get it as it is", async () => {
  await engine.load({
    "xcoms.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "xcoms", schedule: null }, () => {
  const give = task({ taskId: "give" }, async (ctx) => {
    await ctx.xcom.push("session_token", "xcom-t0ken");
    return { user: "ada", password: "xcom-passw0rd", nested: [{ api_key: 123456 }] };
  })();
  task({ taskId: "take" }, async (ctx, given) => {
    if (given.password !== "xcom-passw0rd" || (await ctx.xcom.pull("give", { key: "session_token" })) !== "xcom-t0ken") throw new Error("masked");
  })(give);
});`,
  });
  const runId = await engine.trigger("xcoms");
  expect(await engine.finished("xcoms", runId)).toBe("success");
  const path = `/api/v2/dags/xcoms/dagRuns/${runId}/taskInstances/give/xcomEntries`;
  const value = async (key: string) => (await api.ask("GET", `${path}/${key}`, { as: "viewer" })).json.value;
  expect(await value("return_value")).toEqual({ user: "ada", password: "***", nested: [{ api_key: "***" }] });
  expect(await value("session_token")).toBe("***");
});
