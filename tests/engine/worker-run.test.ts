/** `baram worker run`: one workload in a process that has only the API's URL, the workload and a temporary folder. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readJwtSecret } from "../../src/config/index.ts";
import type { Workload } from "../../src/contracts/index.ts";
import { supervisorOptionsElsewhere } from "../../src/main/supervisor-options.ts";
import { createTokens, silentLogger } from "../../src/platform/index.ts";
import { callbackLogPathOf } from "../../src/scheduler/commands/index.ts";
import { createFolderLogStore } from "../../src/task-logs/index.ts";
import { createSupervisor } from "../../src/worker/supervisor/index.ts";
import { type ApiProxy, startProxy } from "../chaos/proxy.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";
import { queueWorkload, startWorker } from "../support/worker-process.ts";

type Task = Extract<Workload, { type: "ExecuteTask" }>;

let engine: Engine;
let api: TestApi;
let proxy: ApiProxy;
const folder = mkdtempSync(join(tmpdir(), "baram-seen-"));

beforeAll(async () => {
  engine = await startEngine({ withScheduler: false });
  api = await createTestApi(engine.store, {
    resources: { logs: createFolderLogStore(engine.config.logging.base_log_folder) },
  });
  proxy = await startProxy();
  proxy.setBackends([Number(new URL(engine.apiUrl).port)]);
  await engine.load({
    "elsewhere.ts": `
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dag, task } from "baram";
const until = async (path: string) => { while (!existsSync(path)) await new Promise((r) => setTimeout(r, 20)); };
export default dag({ dagId: "elsewhere", schedule: null, params: { gate: "" }, onSuccess: (ctx) => console.log("called back: " + ctx.reason) }, () => {
  const first = task({ taskId: "first" }, async () => ({ answer: 42 }))();
  task({ taskId: "second" }, async (ctx, given: { answer: number }) => given.answer + 1)(first);
  task({ taskId: "fails" }, async () => { throw new Error("it went wrong"); })();
  task({ taskId: "retries", retries: 1 }, async () => { throw new Error("not yet"); })();
  task({ taskId: "waits", retries: 1 }, async (ctx) => {
    console.log("so far");
    await until(ctx.params.gate as string);
    console.log("at last");
  })();
  task({ taskId: "heeds", retries: 1 }, async (ctx) => {
    console.log("waiting for a signal");
    await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    console.log("cleaned up");
  })();
  task({ taskId: "deaf", retries: 1 }, async () => {
    process.removeAllListeners("SIGTERM");
    process.on("SIGTERM", () => {});
    console.log("deaf");
    for (;;) await new Promise((r) => setTimeout(r, 1000));
  })();
  task({ taskId: "megabyte" }, async () => {
    for (let n = 0; n < 10_000; n++) console.log("line " + n + " é ".padEnd(60, "x"));
  })();
  task({ taskId: "looks" }, async () => {
    const parent = process.ppid;
    return {
      environment: JSON.stringify(process.env),
      argv: readFileSync("/proc/self/cmdline", "utf8").replaceAll("\\0", " "),
      parent: readFileSync("/proc/" + parent + "/cmdline", "utf8").replaceAll("\\0", " "),
      environmentOfParent: readFileSync("/proc/" + parent + "/environ", "utf8").replaceAll("\\0", " "),
    };
  })();
});`,
  });
}, 60_000);
afterEach(() => proxy.setMeddler(null));
afterAll(async () => {
  await proxy?.close();
  await engine?.stop();
});

let runs = 0;
async function queued(taskId: string, conf = {}): Promise<Task> {
  const runId = await engine.trigger("elsewhere", { runId: `r${++runs}`, conf });
  return queueWorkload(engine, { dagId: "elsewhere", runId, taskId });
}

async function stateOf({ ti }: Task): Promise<string | null | undefined> {
  return (await engine.states("elsewhere", ti.runId))[ti.taskId];
}

const logUrl = ({ ti }: Task) =>
  `/api/v2/dags/elsewhere/dagRuns/${ti.runId}/taskInstances/${ti.taskId}/logs/${ti.tryNumber}?full_content=true`;
async function logOf(workload: Task): Promise<string[]> {
  return (await api.get(logUrl(workload))).json.content.map((line: { event: string }) => line.event);
}

const launch = (workload: Workload | string, options: Partial<Parameters<typeof startWorker>[1]> = {}) =>
  startWorker(workload, { apiUrl: engine.apiUrl, ...options });

test("a task runs, its XCom is stored and read, and its log can be read when the worker is gone", async () => {
  const first = await queued("first");
  expect(await launch(first).ended).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("its end is stored") });
  expect(await stateOf(first)).toBe("success");
  const second = await queueWorkload(engine, { ...first.ti, taskId: "second" });
  expect(await launch(second).ended).toMatchObject({ code: 0 });
  const { rows } = await engine.store.query<{ value: number }>(
    "select value from xcom where task_id = 'second' and key = 'return_value'",
  );
  expect(rows).toEqual([{ value: 43 }]);
  const log = await logOf(second);
  expect(log.at(0)).toContain("try 1 of 1 starts on");
  expect(log.at(-1)).toContain("the try ended: success");
  // Next to the log there are no other files in the log store.
  expect(readdirSync(join(engine.config.logging.base_log_folder, `${second.logPath}/..`))).toEqual(["attempt=1.log"]);
});

test("a task that fails is reported as such, and one with tries left goes to retry: the exit code is 0", async () => {
  const fails = await queued("fails");
  const retries = await queued("retries");
  const [one, other] = await Promise.all([launch(fails).ended, launch(retries).ended]);
  expect([one.code, other.code]).toEqual([0, 0]);
  expect(await stateOf(fails)).toBe("failed");
  expect(await stateOf(retries)).toBe("up_for_retry");
  expect((await logOf(fails)).join("\n")).toContain("it went wrong");
});

test("the log is readable while the task runs", async () => {
  const gate = join(folder, "gate-reading");
  const workload = await queued("waits", { gate });
  const worker = launch(workload);
  await expect.poll(() => logOf(workload), { timeout: 10_000 }).toContain("so far");
  expect(await stateOf(workload)).toBe("running");
  writeFileSync(gate, "");
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(await logOf(workload)).toContain("at last");
});

test("a megabyte of log arrives whole, in order and once, although answers are lost and pieces come twice", async () => {
  let pieces = 0;
  const faults = { lost: 0, doubled: 0 };
  proxy.setMeddler(({ path }) => {
    if (!path.endsWith("/baram/logs") || pieces >= 6) return null;
    pieces++;
    if (pieces % 3 === 1) {
      faults.lost++;
      return { lose: "answer" };
    }
    if (pieces % 3 === 2) {
      faults.doubled++;
      return { deliveries: 2, atOnce: true };
    }
    return null;
  });
  const workload = await queued("megabyte");
  expect(await launch(workload, { apiUrl: proxy.url }).ended).toMatchObject({ code: 0 });
  expect(faults.lost).toBeGreaterThan(1);
  expect(faults.doubled).toBeGreaterThan(1);
  const lines = (await logOf(workload)).filter((line) => line.startsWith("line "));
  expect(lines).toEqual(Array.from({ length: 10_000 }, (_, n) => `line ${n}${" é ".padEnd(60, "x")}`));
});

test("SIGTERM asks the task to stop, and the try goes to retry with the reason", async () => {
  const workload = await queued("heeds");
  const worker = launch(workload);
  await expect.poll(() => logOf(workload), { timeout: 10_000 }).toContain("waiting for a signal");
  const askedAt = Date.now();
  worker.child.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(Date.now() - askedAt).toBeLessThan(5_000);
  expect(await stateOf(workload)).toBe("up_for_retry");
  const log = await logOf(workload);
  expect(log).toContain("cleaned up");
  expect(log).toContain("the worker was stopped (SIGTERM)");
});

test("a task that does not heed SIGTERM is killed and told in time", async () => {
  const workload = await queued("deaf");
  const worker = launch(workload, { environment: { BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1" } });
  await expect.poll(() => logOf(workload), { timeout: 10_000 }).toContain("deaf");
  worker.child.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(await stateOf(workload)).toBe("up_for_retry");
  expect(await logOf(workload)).toContainEqual(
    expect.stringMatching(/the worker was stopped \(SIGTERM\).*did not end within the grace of 1 s/),
  );
});

test("an API that is away for 3 s while the task runs is waited for, its end and its log too", async () => {
  const gate = join(folder, "gate-outage");
  const workload = await queued("waits", { gate });
  const worker = launch(workload, { apiUrl: proxy.url });
  await expect.poll(() => stateOf(workload), { timeout: 10_000 }).toBe("running");
  let refused = 0;
  let awayFrom: number | null = null;
  proxy.setMeddler(() => {
    awayFrom ??= Date.now();
    if (Date.now() - awayFrom > 3_000) return null;
    refused++;
    return { lose: "request" };
  });
  writeFileSync(gate, "");
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(refused).toBeGreaterThan(1);
  expect(await stateOf(workload)).toBe("success");
  const log = await logOf(workload);
  expect(log.filter((line) => line === "at last")).toHaveLength(1);
  expect(log.at(-1)).toContain("the try ended: success");
});

test("an API that stays away is given up after the retry window, with one line and no token in it", async () => {
  const workload = await queued("first");
  const { code, stderr } = await launch(workload, {
    apiUrl: "http://127.0.0.1:1",
    environment: { BARAM__WORKERS__EXECUTION_API_RETRY_WINDOW: "1" },
  }).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*was not started: the API at http:\/\/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/m);
  expect(stderr).not.toContain(workload.token);
  expect(await stateOf(workload)).toBe("queued");
  // What it tries, where, and why that fails is in its own log at once: nothing else shows what a container is doing.
  const lines = stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  const url = "http://127.0.0.1:1/execution";
  expect(lines[0]).toMatchObject({ msg: "the worker asks the API to start its workload", url, id: workload.ti.id });
  expect(lines[1]).toMatchObject({
    msg: "the API cannot be reached to fetch the task's code; trying again",
    url,
    error: expect.stringContaining("ECONNREFUSED"),
    probably: expect.stringContaining("the worker's own machine or container"),
    failures: 1,
    nextTrySec: 0.1,
  });
});

test("a worker that is stopped before it has reached the API says why it had not", async () => {
  const worker = launch(await queued("first"), { apiUrl: "http://127.0.0.1:1" });
  await expect.poll(() => worker.stderr(), { timeout: 10_000 }).toContain("the API cannot be reached");
  worker.child.kill("SIGTERM");
  const { code, stderr } = await worker.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^error: .*was not started: the worker was stopped \(SIGTERM\), and it had not reached the API: .*ECONNREFUSED/m,
  );
});

test("a URL that is not that of the API ends the worker at once, with the remedy", async () => {
  const workload = await queued("first");
  const { code, stderr } = await launch(workload, { apiUrl: `${engine.apiUrl}/other` }).ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^error: .*was not started: the API answered 404.*probably there is no execution API under this URL/m);
});

test("an end that cannot be told is told by the exit code", async () => {
  const workload = await queued("first");
  let lost = 0;
  proxy.setMeddler(({ body }) => {
    if (!body.includes('"op":"finish"')) return null;
    lost++;
    return { lose: "request" };
  });
  const { code, stderr } = await launch(workload, {
    apiUrl: proxy.url,
    environment: { BARAM__WORKERS__EXECUTION_API_RETRY_WINDOW: "1" },
  }).ended;
  expect(lost).toBeGreaterThan(0);
  expect(code).toBe(1);
  expect(stderr).toContain("its end could not be told to the API");
});

test("a workload that runs elsewhere, or whose token is another's, is refused; one that was taken back is nothing to do", async () => {
  const gate = join(folder, "gate-twice");
  const workload = await queued("waits", { gate });
  const worker = launch(workload);
  await expect.poll(() => stateOf(workload), { timeout: 10_000 }).toBe("running");
  const twice = await launch(workload).ended;
  expect(twice.code).toBe(1);
  expect(twice.stderr).toContain("runs already: its token was used before");
  writeFileSync(gate, "");
  expect(await worker.ended).toMatchObject({ code: 0 });
  expect(await launch(workload).ended).toMatchObject({ code: 0, stderr: expect.stringContaining("nothing to do") });

  const mine = await queued("first");
  const other = await queued("first");
  const mixed = await launch({ ...mine, token: other.token }).ended;
  expect(mixed.code).toBe(1);
  expect(mixed.stderr).toContain("was refused: The workload's token is not valid for this try.");

  await engine.store.query("update task_instance set state = 'scheduled', id = gen_random_uuid() where id = $1", [mine.ti.id]);
  expect(await launch(mine).ended).toMatchObject({ code: 0, stderr: expect.stringContaining("nothing to do") });
  expect(await stateOf(mine)).toBe("scheduled");
});

test("the token reaches neither the runner nor anything that is said, and the temporary folder is left empty", async () => {
  const workload = await queued("looks");
  const text = JSON.stringify(workload);
  const temporary = mkdtempSync(join(tmpdir(), "baram-tmp-"));
  const { code, stderr } = await launch("", {
    arguments: ["--workload", text],
    environment: {
      TMPDIR: temporary,
      BARAM__LOGGING__LOGGING_LEVEL: "debug",
      BARAM_CONN_X: "http://u:hunter22@h",
      // A container that was made for one task gives it its role.
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/role",
    },
  }).ended;
  expect(code).toBe(0);
  const { rows } = await engine.store.query<{ value: Record<string, string> }>(
    "select value from xcom where task_id = 'looks' and key = 'return_value'",
  );
  const seen = rows[0]?.value ?? {};
  expect(seen.parent).toContain("baram worker run");
  for (const place of [...Object.values(seen), stderr, (await logOf(workload)).join()])
    expect(place).not.toContain(workload.token);
  expect(seen.environment).not.toContain("BARAM__");
  expect(seen.environmentOfParent).not.toMatch(/BARAM_|hunter22/);
  expect(JSON.parse(seen.environment ?? "{}")).toMatchObject({ AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/role" });
  expect(readdirSync(temporary)).toEqual([]);
});

test("a callback that the platform owes runs, and its log is at the log store", async () => {
  const { ti, moduleHash } = await queued("first");
  const data = { kind: "dag", callback: "onSuccess", reason: "all is well" };
  const { rows } = await engine.store.query<{ id: string }>(
    `insert into callback_request (dag_run_id, data, module_hash, state)
     select id, $2, $3, 'queued' from dag_run where dag_id = 'elsewhere' and run_id = $1 returning id`,
    [ti.runId, JSON.stringify(data), moduleHash],
  );
  const callbackId = rows[0]?.id ?? "";
  const token = await createTokens(readJwtSecret(engine.config)).sign("baram:workload", { subject: callbackId }, 3_600);
  const logPath = callbackLogPathOf({ dagId: "elsewhere", runId: ti.runId, id: callbackId });
  const workload: Workload = { type: "ExecuteCallback", token, callbackId, moduleHash, logPath };
  expect(await launch(workload).ended).toMatchObject({ code: 0 });
  expect((await engine.store.query("select state from callback_request where id = $1", [callbackId])).rows).toEqual([
    { state: "success" },
  ]);
  expect(readFileSync(join(engine.config.logging.base_log_folder, logPath), "utf8")).toContain("called back: all is well");
});

test("the module cache keeps to its limit, and never lets go of a module that a task is running", async () => {
  await engine.load({
    "another.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "another", schedule: null }, () => { task({ taskId: "quick" }, async () => {})(); });`,
  });
  const cache = mkdtempSync(join(tmpdir(), "baram-cache-"));
  const own = supervisorOptionsElsewhere(engine.config, engine.apiUrl, 2, cache);
  const done: string[] = [];
  const events = { done: (id: string) => void done.push(id), notStarted: (_: string, why: string) => void done.push(why) };
  const supervisor = createSupervisor({ ...own, cacheMaxBytes: 1, freshProcessPerTry: true }, events, silentLogger);
  try {
    const gate = join(folder, "gate-cache");
    const holds = await queued("waits", { gate });
    supervisor.accept([holds]);
    await expect.poll(() => stateOf(holds), { timeout: 10_000 }).toBe("running");
    const fromEarlier = join(own.cacheFolder, "0".repeat(64));
    mkdirSync(fromEarlier);
    writeFileSync(join(fromEarlier, "dag.mjs"), "export {}");
    const anHourAgo = Date.now() / 1_000 - 3_600;
    for (const hash of readdirSync(own.cacheFolder)) utimesSync(join(own.cacheFolder, hash, "dag.mjs"), anHourAgo, anHourAgo);
    const runId = await engine.trigger("another");
    const quick = await queueWorkload(engine, { dagId: "another", runId, taskId: "quick" });
    supervisor.accept([quick]);
    await expect.poll(() => done, { timeout: 10_000 }).toEqual([quick.ti.id]);
    await expect.poll(() => readdirSync(own.cacheFolder).sort()).toEqual([holds.moduleHash, quick.moduleHash].sort());
    writeFileSync(gate, "");
    await expect.poll(() => done, { timeout: 10_000 }).toEqual([quick.ti.id, holds.ti.id]);
    expect(await stateOf(holds)).toBe("success");
  } finally {
    await supervisor.drain(0);
  }
});

test("a workload that cannot be one is refused before anything is asked, with the reason and not with its text", async () => {
  const workload = await queued("first");
  const path = join(folder, "workload.json");
  const cases: [given: string[], workload: string, said: string][] = [
    [["--workload", "env"], "", "BARAM_WORKLOAD is not set"],
    [["--workload", "env"], "{token", "BARAM_WORKLOAD is not JSON"],
    [["--workload", JSON.stringify({ ...workload, moduleHash: "x" })], "", "not a workload of this version of Baram"],
    [["--workload", `@${path}`], "", "no such file"],
    [["--workload", JSON.stringify({ ...workload, filler: "x".repeat(9_000) })], "", "a workload has 8192 at most"],
  ];
  const ended = await Promise.all(
    cases.map(([given, text]) => launch(text, { arguments: given, apiUrl: "http://127.0.0.1:1" }).ended),
  );
  for (const [at, { code, stderr }] of ended.entries()) {
    expect(stderr).toMatch(/^error: .*\n$/);
    expect(stderr).toContain(cases[at]?.[2]);
    expect(stderr).not.toContain(workload.token);
    expect(code).toBe(2);
  }
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, JSON.stringify(workload));
  expect(await launch("", { arguments: ["--workload", `@${path}`] }).ended).toMatchObject({ code: 0 });
  expect(readFileSync(path, "utf8")).toBe(JSON.stringify(workload));
});
