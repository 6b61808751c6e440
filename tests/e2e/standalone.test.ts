/** The command for new users: the built CLI with its own BARAM_HOME, the first and second start, and errors at the start. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPackageRoot, sleep } from "../../src/platform/index.ts";
import { findBinaries } from "../../src/store/embedded/binaries.ts";
import { explainFailure } from "../../src/store/embedded/failure.ts";
import { readPrometheusText, sampleOf } from "../support/prometheus-text.ts";

let folder: string;
let port: number;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  // The path contains a space, and the folder is readable for others, so that an ordinary user can be tested too.
  folder = join(mkdtempSync(join(tmpdir(), "baram-e2e-")), "my pipelines");
  mkdirSync(folder);
  chmodSync(join(folder, ".."), 0o755);
  port = await freePort();
});

afterEach(async () => {
  for (const child of running) {
    child.kill("SIGTERM");
    await Promise.race([new Promise((resolve) => child.once("exit", resolve)), sleep(20_000)]);
  }
  running.clear();
  rmSync(join(folder, ".."), { recursive: true, force: true });
}, 60_000);

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

type Started = { child: ChildProcess; output(): string; exited: Promise<number | null> };

function start(
  environment: Record<string, string> = {},
  account?: { uid: number; gid: number },
  { flags = [], stderr = "pipe" }: { flags?: string[]; stderr?: "pipe" | number } = {},
): Started {
  const child = spawn(process.execPath, [join(findPackageRoot(), "dist", "cli", "main.js"), "standalone", ...flags], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder, BARAM__API__PORT: String(port), ...environment },
    stdio: ["ignore", "pipe", stderr],
    ...account,
  });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  const exited = new Promise<number | null>((resolve) =>
    child.once("close", (code) => {
      running.delete(child);
      resolve(code);
    }),
  );
  return { child, output: () => output, exited };
}

const isUp = (started: Started) => expect.poll(() => started.output(), { timeout: 40_000 }).toContain("Baram is up");

async function isHealthy(): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v2/monitor/health`);
    const health = (await answer.json()) as Record<string, { status: string | null }>;
    return ["metadatabase", "scheduler", "dag_processor"].every((part) => health[part]?.status === "healthy");
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("whatever the umask, nothing in BARAM_HOME can be read by others, and nobody else can write DAG files", async () => {
  const umask = process.umask(0);
  const first = start();
  process.umask(umask);
  await expect.poll(() => first.output(), { timeout: 60_000 }).toMatch(/The demo ended: success/);
  const home = join(folder, ".baram");
  const open = execFileSync("find", [home, "-mindepth", "1", "!", "-type", "l", "-perm", "/077"], { encoding: "utf8" });
  expect(open).toBe("");
  expect(readdirSync(home)).toEqual(
    expect.arrayContaining(["cache", "demo", "jwt_secret", "logs", "postgres", "standalone.pid"]),
  );
  // As root, PostgreSQL's account passes through.
  expect(statSync(home).mode & 0o077).toBe(process.getuid?.() === 0 ? 0o011 : 0);
  expect(statSync(join(folder, "dags")).mode & 0o022).toBe(0);
}, 90_000);

test.skipIf(process.getuid?.() !== 0)(
  "with run_as_user the demo runs, and its files belong to that user alone",
  async () => {
    chmodSync(folder, 0o755);
    const first = start({ BARAM__WORKERS__RUN_AS_USER: "21003", A_KEY_OF_MINE: "its-value" });
    await expect.poll(() => first.output(), { timeout: 60_000 }).toMatch(/The demo ended: success/);
    const results = join(folder, ".baram-tasks", "users", "21003", "home", "demo");
    for (const path of [results, ...readdirSync(results).map((name) => join(results, name))])
      expect([path, statSync(path).uid, statSync(path).mode & 0o077]).toEqual([path, 21_003, 0]);
    // Its names are said, and no values.
    expect(first.output()).toContain("A_KEY_OF_MINE");
    expect(first.output()).not.toContain("its-value");
  },
  90_000,
);

test("a home and secrets that others can read are closed at the start, with a warning", async () => {
  const home = join(folder, ".baram");
  mkdirSync(home, { mode: 0o755 });
  writeFileSync(join(home, "jwt_secret"), "s".repeat(40), { mode: 0o644 });
  writeFileSync(join(home, "baram.toml"), "", { mode: 0o644 });
  const started = start();
  await isUp(started);
  expect(started.output()).toMatch(/Other users could read or change .*\.baram \(mode 0755\); its mode is 07[01][01] now/);
  expect(started.output()).toMatch(/Other users could read or change .*baram\.toml/);
  expect(started.output()).toMatch(
    /Other users could read the secret .*jwt_secret \(mode 0644\); its mode is 0600 now\. If somebody/,
  );
  expect(statSync(home).mode & 0o066).toBe(0);
  for (const name of ["jwt_secret", "baram.toml"]) expect(statSync(join(home, name)).mode & 0o777).toBe(0o600);
}, 60_000);

test("no process shows a task the platform's secrets, and user code gets the variables that are named for it", async () => {
  mkdirSync(join(folder, "dags"));
  const result = join(folder, "seen.json");
  // No other test's processes have it; and the file of the DAG does not contain it in one piece.
  const mark = randomBytes(8).toString("hex");
  // Everything that a task can see of other processes, and what the file sees while it is evaluated.
  writeFileSync(
    join(folder, "dags", "curious.ts"),
    `import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dag, task } from "baram";
const atEvaluation = Object.keys(process.env).sort().join();
export default dag({ dagId: "curious", schedule: "@once", startDate: "2020-01-01", tags: [atEvaluation.includes("AWS_") ? "leaked" : "clean"], catchup: false }, () => {
  task({ taskId: "look" }, async () => {
    const names = [];
    for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
      try {
        for (const file of ["environ", "cmdline"]) if (readFileSync("/proc/" + pid + "/" + file, "utf8").includes("hunter" + "22-${mark}")) names.push(pid + " " + file + " " + readFileSync("/proc/" + pid + "/cmdline", "utf8"));
      } catch {}
    }
    writeFileSync(${JSON.stringify(result)}, JSON.stringify({ names, environment: process.env, atEvaluation }));
  })();
});`,
  );
  const started = start({
    BARAM__CORE__LOAD_EXAMPLES: "false",
    BARAM__CORE__DAGS_ARE_PAUSED_AT_CREATION: "false",
    BARAM__WORKERS__PASS_ENVIRONMENT: "FOR_TASKS_*",
    BARAM__API_AUTH__JWT_SECRET: `hunter22-${mark}${"x".repeat(40)}`,
    BARAM_CONN_X: `http://u:hunter22-${mark}@h`,
    AWS_SECRET_ACCESS_KEY: `hunter22-${mark}`,
    SOME_TOKEN: `hunter22-${mark}`,
    FOR_TASKS_COLOR: "red",
  });
  await expect.poll(() => existsSync(result) && readFileSync(result, "utf8").endsWith("}"), { timeout: 60_000 }).toBe(true);
  const { names, environment, atEvaluation } = JSON.parse(readFileSync(result, "utf8"));
  expect(names).toEqual([]);
  expect(environment).toMatchObject({ FOR_TASKS_COLOR: "red", HOME: folder });
  for (const name of ["AWS_SECRET_ACCESS_KEY", "SOME_TOKEN", "BARAM__API_AUTH__JWT_SECRET", "BARAM_CONN_X"]) {
    expect(environment).not.toHaveProperty(name);
    expect(atEvaluation).not.toContain(name);
  }
  expect(started.output()).not.toContain("does not let Baram hide");
}, 90_000);

test("the first start runs the demo and tells of it; Ctrl-C drains and ends PostgreSQL; the second start is healthy within 5 s", async () => {
  const first = start();
  await expect.poll(() => first.output(), { timeout: 60_000 }).toMatch(/The demo ended: success/);
  expect(first.output()).toContain(`Baram is up at http://127.0.0.1:${port}`);
  const password = readFileSync(join(folder, ".baram", "admin_password"), "utf8").trim();
  // Its output is no terminal.
  expect(first.output()).not.toContain(password);
  expect(first.output()).toContain(join(folder, ".baram", "admin_password"));
  expect(statSync(join(folder, ".baram", "admin_password")).mode & 0o777).toBe(0o600);
  for (const task of ["trigger_sort", "wait_for_sort", "summarise", "write_report"])
    expect(first.output()).toContain(`✔ mall_customers_report.${task}: success`);
  const answer = await fetch(`http://127.0.0.1:${port}/auth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password }),
  });
  expect(answer.status).toBe(201);
  const { access_token } = (await answer.json()) as { access_token: string };
  const scrape = (authorization: string) => fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization } });
  expect((await scrape("")).status).toBe(401);
  // The metrics of all roles on the only port of standalone.
  const { samples } = readPrometheusText(await scrape(`Bearer ${access_token}`).then((scraped) => scraped.text()));
  const task = { dag_id: "mall_customers_report", task_id: "write_report" };
  expect(sampleOf(samples, "airflow_ti_successes_total", task)).toBe(1);
  expect(sampleOf(samples, "airflow_dagbag_size")).toBe(2);
  expect(sampleOf(samples, "airflow_pool_open_slots", { pool_name: "default_pool" })).toBeGreaterThan(0);
  const runs = await fetch(`http://127.0.0.1:${port}/api/v2/dags/mall_customers_report/dagRuns`, {
    headers: { authorization: `Bearer ${access_token}` },
  });
  expect(((await runs.json()) as { dag_runs: { state: string }[] }).dag_runs.map((run) => run.state)).toEqual(["success"]);
  const postgres = Number(readFileSync(await postmasterFile(), "utf8").split("\n")[0]);
  first.child.kill("SIGINT");
  expect(await first.exited).toBe(0);
  expect(first.output()).toContain("Baram has stopped.");
  expect(isAlive(postgres)).toBe(false);

  const startedAt = Date.now();
  const second = start();
  await expect.poll(isHealthy, { timeout: 20_000, interval: 50 }).toBe(true);
  expect(Date.now() - startedAt).toBeLessThan(5_000);
  expect(second.output()).not.toContain(password);
  await sleep(500);
  expect(second.output()).not.toContain("demo");
  second.child.kill("SIGTERM");
  expect(await second.exited).toBe(0);
}, 120_000);

async function postmasterFile(): Promise<string> {
  const own = join(folder, ".baram", "postgres", "data", "postmaster.pid");
  await expect.poll(() => existsSync(own), { timeout: 10_000 }).toBe(true);
  return own;
}

test("on a terminal the first start shows the password, and no later one", async () => {
  const command = `'${process.execPath}' '${join(findPackageRoot(), "dist", "cli", "main.js")}' standalone`;
  const showing = async () => {
    const child = spawn("script", ["--quiet", "--return", "--echo", "never", "--command", command, "/dev/null"], {
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: folder,
        BARAM__API__PORT: String(port),
        BARAM__CORE__LOAD_EXAMPLES: "false",
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    running.add(child);
    const exited = new Promise((resolve) => child.once("close", resolve));
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    await expect.poll(() => output, { timeout: 40_000 }).toContain("Ctrl-C ends it");
    child.stdin.write("\x03");
    await exited;
    running.delete(child);
    return output;
  };
  const first = await showing();
  const password = readFileSync(join(folder, ".baram", "admin_password"), "utf8").trim();
  expect(first).toContain(`user      admin, password ${password}`);
  const second = await showing();
  expect(second).not.toContain(password);
  expect(second).toContain(join(folder, ".baram", "admin_password"));
}, 120_000);

test("after kill -9 the next start takes over the PostgreSQL that was left, and loses nothing", async () => {
  const first = start({ BARAM__CORE__LOAD_EXAMPLES: "false" });
  await isUp(first);
  const postgres = Number(readFileSync(await postmasterFile(), "utf8").split("\n")[0]);
  first.child.kill("SIGKILL");
  await first.exited;
  expect(isAlive(postgres)).toBe(true);
  const second = start({ BARAM__CORE__LOAD_EXAMPLES: "false" });
  await isUp(second);
  await expect.poll(isHealthy, { timeout: 20_000 }).toBe(true);
  second.child.kill("SIGINT");
  expect(await second.exited).toBe(0);
  expect(isAlive(postgres)).toBe(false);
}, 90_000);

test("--port wins over the option; a DAG folder that was named and is not there is said, not made, and seen when it comes", async () => {
  const dags = join(folder, "brought later");
  const environment = {
    BARAM__API__PORT: "1",
    BARAM__CORE__LOAD_EXAMPLES: "false",
    BARAM__CORE__DAGS_FOLDER: dags,
    BARAM__DAG_PROCESSOR__REFRESH_INTERVAL: "0.5",
  };
  const started = start(environment, undefined, { flags: ["-p", String(port)] });
  await isUp(started);
  expect(started.output()).toContain(`Baram is up at http://127.0.0.1:${port}`);
  expect(started.output()).toContain(`${dags}  (it does not exist`);
  await expect.poll(() => started.output(), { timeout: 10_000 }).toContain(`the DAG folder ${dags} does not exist`);
  await sleep(2_000);
  expect(started.output().split(`the DAG folder ${dags} does not exist`), "said once, not at each scan").toHaveLength(2);
  expect(existsSync(dags)).toBe(false);
  mkdirSync(dags);
  await expect.poll(() => started.output(), { timeout: 10_000 }).toContain("the DAG folder can be read now");
  started.child.kill("SIGTERM");
  expect(await started.exited).toBe(0);
}, 60_000);

test("a log that cannot be written, as on a full disk, costs its lines and nothing else", async () => {
  const full = openSync("/dev/full", "w");
  const environment = { BARAM__CORE__LOAD_EXAMPLES: "false", BARAM__LOGGING__LOGGING_LEVEL: "debug" };
  const started = start(environment, undefined, { stderr: full });
  closeSync(full);
  await isUp(started);
  await expect.poll(isHealthy, { timeout: 20_000 }).toBe(true);
  started.child.kill("SIGTERM");
  expect(await started.exited).toBe(0);
  expect(started.output()).toContain("Baram has stopped.");
}, 60_000);

test("a second standalone on the same home, and one on a port in use, say so in one sentence and end with 1", async () => {
  const first = start({ BARAM__CORE__LOAD_EXAMPLES: "false" });
  await isUp(first);
  const twin = start();
  expect(await twin.exited).toBe(1);
  expect(twin.output().trim()).toMatch(/^[^\n]*Baram already runs from [^\n]* \(process \d+\)[^\n]*$/);
  const elsewhere = start({ BARAM_HOME: join(folder, "other") });
  expect(await elsewhere.exited).toBe(1);
  expect(elsewhere.output().trim()).toMatch(
    new RegExp(`^[^\\n]*Port ${port} on 127\\.0\\.0\\.1 is in use[^\\n]*BARAM__API__PORT[^\\n]*$`),
  );
}, 90_000);

test("an unwritable or impossible BARAM_HOME, a bad option and an unknown one are named", async () => {
  writeFileSync(join(folder, "file"), "");
  for (const [environment, message] of [
    [{ BARAM_HOME: join(folder, "file", "home") }, /BARAM_HOME .* is not a folder/],
    [{ BARAM_HOME: "/proc/baram" }, /BARAM_HOME \/proc\/baram cannot be written/],
    [{ BARAM__CORE__PARALLELISM: "many" }, /BARAM__CORE__PARALLELISM is "many", but must be a number/],
    [
      { BARAM__CORE__PARALELISM: "8" },
      /BARAM__CORE__PARALELISM is not an option of Baram\. Did you mean BARAM__CORE__PARALLELISM\?/,
    ],
    [{ BARAM__DATABASE__URL: "mysql://root:pw@db/x" }, /is "mysql:\/\/…" \(hidden\), but must be a PostgreSQL URL/],
    [{ BARAM__CORE__EXECUTOR: "MoonExecutor" }, /MoonExecutor/],
    [{ BARAM__CORE__EXECUTOR: "LocalExecuter" }, /did you mean "LocalExecutor"\?/],
  ] as const) {
    const failed = start(environment);
    expect(await failed.exited).toBe(1);
    expect(failed.output().trim().split("\n"), failed.output()).toHaveLength(1);
    expect(failed.output()).toMatch(message);
  }
}, 60_000);

const isRoot = process.getuid?.() === 0;
test.runIf(isRoot)(
  "an ordinary user can start it, and is told when the home is not theirs",
  async () => {
    const account = { uid: 65_534, gid: 65_534 };
    chownSync(folder, account.uid, account.gid);
    const good = start({ BARAM__CORE__LOAD_EXAMPLES: "false" }, account);
    await isUp(good);
    good.child.kill("SIGINT");
    expect(await good.exited).toBe(0);
    expect(statSync(join(folder, ".baram", "postgres", "data")).uid).toBe(account.uid);
    mkdirSync(join(folder, "closed"), { mode: 0o755 });
    const bad = start({ BARAM_HOME: join(folder, "closed", "home") }, account);
    expect(await bad.exited).toBe(1);
    expect(bad.output()).toMatch(/BARAM_HOME .*closed\/home cannot be written by this user/);
  },
  90_000,
);

test.runIf(isRoot)(
  "a home in a folder closed to others works for root too",
  async () => {
    const closed = join(folder, "closed");
    mkdirSync(closed, { mode: 0o700 });
    const started = start({ BARAM_HOME: join(closed, "home"), BARAM__CORE__LOAD_EXAMPLES: "false" });
    await isUp(started);
    await expect.poll(() => started.output(), { timeout: 20_000 }).toContain("Baram runs as root, and so do tasks and DAG files");
    started.child.kill("SIGINT");
    expect(await started.exited).toBe(0);
  },
  60_000,
);

test.runIf(isRoot)(
  "a disk that is really full at the first start ends with one sentence",
  async () => {
    const small = join(folder, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", small]);
    try {
      const failed = start({ BARAM_HOME: join(small, "home") });
      expect(await failed.exited).toBe(1);
      expect(failed.output()).toMatch(/The disk that holds .* is full/);
      expect(failed.output().trim().split("\n"), failed.output()).toHaveLength(1);
    } finally {
      execFileSync("umount", ["-l", small]);
    }
  },
  60_000,
);

test("a shared library really missing from PostgreSQL is named", async () => {
  const { native } = findBinaries();
  const copy = join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  // A library that no current Debian contains.
  rmSync(join(copy, "lib", "libssl.so.1.1"));
  const { status, stderr } = spawnSync(join(copy, "bin", "postgres"), ["--version"], { encoding: "utf8" });
  expect(status).toBe(127);
  expect(explainFailure("start", stderr, status, "/x").message).toMatch(
    /needs the shared library libssl\.so\.1\.1, which this machine lacks\. Install it, or set BARAM__DATABASE__URL/,
  );
});
