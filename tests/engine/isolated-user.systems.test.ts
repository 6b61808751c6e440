/**
 * [workers] run_as_user, as root: tasks, DAG files during evaluation and triggers run as other users, who reach nothing of Baram's and
 * nothing of each other's, and leave no process behind.
 */

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadConfig, readJwtSecret } from "../../src/config/index.ts";
import { openAccounts } from "../../src/main/accounts.ts";
import { findPackageRoot } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

const ALL = 21_001;
const SALES = 21_002;
let engine: Engine;
let place: string;

/** What code of a DAG file can do, as one object. */
const LOOK = `
function look() {
  const attempt = (work: () => unknown) => { try { work(); return "done"; } catch (error) { return (error as NodeJS.ErrnoException).code ?? String(error); } };
  return {
    uid: process.getuid?.(), gid: process.getgid?.(), groups: process.getgroups?.(),
    capabilities: /CapEff:\\s*(\\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1],
    home: attempt(() => readdirSync(HOME)),
    secret: attempt(() => readFileSync(HOME + "/jwt_secret")),
    database: attempt(() => readdirSync(HOME + "/postgres")),
    logs: attempt(() => readdirSync(HOME + "/logs")),
    parent: attempt(() => readFileSync("/proc/" + process.ppid + "/environ")),
    parentsMemory: attempt(() => openSync("/proc/" + process.ppid + "/mem", "r")),
    module: attempt(() => readFileSync(new URL(import.meta.url))),
    moduleChanged: attempt(() => appendFileSync(new URL(import.meta.url), "//")),
    moduleFolder: attempt(() => mkdirSync(SHARED + "/modules/x")),
    accounts: attempt(() => mkdirSync(SHARED + "/users/x")),
    own: attempt(() => writeFileSync(join(homedir(), "mine"), "x")),
    temporary: attempt(() => writeFileSync(join(tmpdir(), "mine"), "x")),
    place: [homedir(), tmpdir(), process.cwd()],
    others: [${ALL}, ${SALES}].filter((uid) => uid !== process.getuid?.()).map((uid) => attempt(() => readdirSync(SHARED + "/users/" + uid + "/home"))),
    root: attempt(() => process.setuid?.(0)),
  };
}`;

const dagFile = () => `
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
const HOME = ${JSON.stringify(engine.home)};
const SHARED = ${JSON.stringify(join(place, "shared"))};
${LOOK}
export class Looks extends BaseTrigger {
  async run() { return new TriggerEvent(look() as never); }
}
registerTrigger("Looks", Looks);
const evaluated = process.env.BARAM_RUNNER_ID === undefined ? JSON.stringify(look()) : "";
for (const dagId of ["plain", "sales_eu"]) dag({ dagId, schedule: null, ...(evaluated === "" ? {} : { description: evaluated }) }, () => {
  task({ taskId: "looks" }, async () => look())();
  task({ taskId: "waits" }, async (ctx) => ctx.resumed === null ? defer({ trigger: new Looks({}) }) : ctx.resumed.event)();
  task({ taskId: "detaches" }, async () => {
    // No group, no session, no parent and no mark that it could be found by.
    const pid = execFileSync("/usr/bin/env", ["-i", "setsid", "sh", "-c", "setsid sleep 600 > /dev/null 2>&1 & echo $!"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return Number(pid);
  })();
});`;

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "baram-isolated-"));
  chmodSync(place, 0o755);
  mkdirSync(join(place, "dags"), { mode: 0o755 });
  engine = await startEngine({
    environment: {
      BARAM__CORE__DAGS_FOLDER: join(place, "dags"),
      BARAM__WORKERS__RUN_AS_USER: String(ALL),
      BARAM__WORKERS__RUN_AS_USER_OF_DAGS: `sales_*=${SALES}:${SALES}`,
      BARAM__WORKERS__SHARED_FOLDER: join(place, "shared"),
    },
  });
  mkdirSync(join(engine.home, "postgres"), { mode: 0o700 });
  await engine.startTriggerer();
  await engine.load({ "look.ts": dagFile() });
}, 120_000);
afterAll(async () => {
  await engine?.stop();
  rmSync(place, { recursive: true, force: true });
});

function logsOf(dagId: string, runId: string): string {
  const folder = join(engine.config.logging.base_log_folder, `dag_id=${dagId}/run_id=${runId}`);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".log"))
    .map((path) => readFileSync(join(folder, path), "utf8"))
    .join("\n");
}

async function resultsOf(dagId: string): Promise<Record<string, Record<string, unknown>>> {
  const runId = await engine.trigger(dagId);
  const state = await engine.finished(dagId, runId, 40_000);
  const logs = state === "success" ? "" : logsOf(dagId, runId);
  expect({ state, logs }).toEqual({ state: "success", logs: "" });
  const { rows } = await engine.store.query<{ task_id: string; value: Record<string, unknown> }>(
    "select x.task_id, x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1 and r.dag_id = $2",
    [runId, dagId],
  );
  return Object.fromEntries(rows.map((row) => [row.task_id, row.value]));
}

const confined = (uid: number) => {
  const folder = join(place, "shared", "users", String(uid));
  return {
    uid,
    gid: uid,
    groups: [uid],
    capabilities: "0000000000000000",
    home: "EACCES",
    secret: "EACCES",
    database: "EACCES",
    logs: "EACCES",
    parent: "EACCES",
    parentsMemory: "EACCES",
    module: "done",
    moduleChanged: "EACCES",
    moduleFolder: "EACCES",
    accounts: "EACCES",
    own: "done",
    temporary: "done",
    place: [join(folder, "home"), join(folder, "tmp"), join(folder, "home")],
    others: ["EACCES"],
    root: "EPERM",
  };
};

test("a task, a trigger and a DAG file during evaluation reach nothing of Baram's and nothing of other users'", async () => {
  const plain = await resultsOf("plain");
  expect(plain.looks).toEqual(confined(ALL));
  expect(plain.waits).toEqual(confined(ALL));
  const sales = await resultsOf("sales_eu");
  expect(sales.looks).toEqual(confined(SALES));
  expect(sales.waits).toEqual(confined(SALES));
  const { rows } = await engine.store.query<{ description: string }>("select description from dag where dag_id = 'sales_eu'");
  expect(JSON.parse(rows[0]?.description ?? "")).toEqual(confined(ALL));
}, 90_000);

test("a process that a task detached in every way is killed with its try", async () => {
  const { detaches } = await resultsOf("plain");
  const pid = Number(detaches);
  expect(pid).toBeGreaterThan(1);
  await expect
    .poll(() => existsSync(`/proc/${pid}`) && !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8")))
    .toBe(false);
}, 60_000);

test("and without run_as_user too, where Baram can make a cgroup, whose folder goes with the engine", async () => {
  const plain = await startEngine();
  try {
    await plain.load({
      "detaches.ts": `
import { execFileSync } from "node:child_process";
import { dag, task } from "baram";
export default dag({ dagId: "detaches", schedule: null }, () => {
  task({ taskId: "detaches" }, async () =>
    Number(execFileSync("/usr/bin/env", ["-i", "setsid", "sh", "-c", "setsid sleep 600 > /dev/null 2>&1 & echo $!"])))();
});`,
    });
    const runId = await plain.trigger("detaches");
    expect(await plain.finished("detaches", runId)).toBe("success");
    const { rows } = await plain.store.query<{ value: number }>("select value from xcom");
    const pid = Number(rows[0]?.value);
    expect(pid).toBeGreaterThan(1);
    await expect
      .poll(() => existsSync(`/proc/${pid}`) && !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8")))
      .toBe(false);
  } finally {
    await plain.stop();
  }
}, 60_000);

describe("a start fails, with the path or user and the remedy, where", () => {
  const config = (own: Record<string, string>) =>
    loadConfig({
      BARAM_HOME: engine.home,
      BARAM__CORE__DAGS_FOLDER: join(place, "dags"),
      BARAM__WORKERS__RUN_AS_USER: String(ALL),
      BARAM__WORKERS__SHARED_FOLDER: join(place, "shared"),
      ...own,
    });
  const openHome = () => {
    const home = mkdtempSync(join(place, "home-"));
    chmodSync(home, 0o711);
    return home;
  };

  test.each([
    [
      "the user does not exist",
      { BARAM__WORKERS__RUN_AS_USER: "nobody_such" },
      /no user nobody_such. Create it, or write uid:gid/,
    ],
    ["the user is root", { BARAM__WORKERS__RUN_AS_USER: "root" }, /which is root/],
    ["the group is root's", { BARAM__WORKERS__RUN_AS_USER_OF_DAGS: "a=21001:0" }, /root's group/],
    [
      "only single DAGs have a user",
      { BARAM__WORKERS__RUN_AS_USER: "", BARAM__WORKERS__RUN_AS_USER_OF_DAGS: "a=21001" },
      /Set run_as_user/,
    ],
  ])("%s", (_what, own, message) => {
    expect(() => openAccounts(config(own))).toThrow(message);
  });

  test("the user is the one of the embedded PostgreSQL", () => {
    expect(() => openAccounts(config({ BARAM__WORKERS__RUN_AS_USER: "postgres" }))).toThrow(/runs the embedded PostgreSQL/);
  });

  test("the DAG folder cannot be read", () => {
    const dags = join(place, "closed dags");
    mkdirSync(dags, { mode: 0o700 });
    expect(() => openAccounts(config({ BARAM__CORE__DAGS_FOLDER: dags }))).toThrow(
      `${dags} cannot be used by the user 21001 (uid 21001) of [workers] run_as_user. Let it enter all folders above`,
    );
  });

  test("the secret can be read", () => {
    const home = openHome();
    readJwtSecret(config({ BARAM_HOME: home }));
    chmodSync(join(home, "jwt_secret"), 0o644);
    expect(() => openAccounts(config({ BARAM_HOME: home }))).toThrow(
      /jwt_secret can be read or changed by .*Close it: chmod go-rwx/,
    );
    chmodSync(home, 0o755);
    expect(() => openAccounts(config({ BARAM_HOME: home }))).toThrow(/Close it: chmod 711/);
  });

  test("a secret's file can be read", () => {
    const file = join(place, "database url");
    writeFileSync(file, "postgres://u:p@127.0.0.1/none");
    const open = () => openAccounts(config({ BARAM__DATABASE__URL_FILE: file }));
    chmodSync(file, 0o644);
    expect(open).toThrow(
      `${file}, the secret of BARAM__DATABASE__URL_FILE, can be read or changed by the user 21001 (uid 21001) of [workers] run_as_user. Close it: chmod go-rwx ${file}.`,
    );
    chmodSync(file, 0o600);
    expect(open).not.toThrow();
  });

  test("the shared folder is inside of BARAM_HOME", () => {
    const home = openHome();
    const open = (folder: string) => () => openAccounts(config({ BARAM_HOME: home, BARAM__WORKERS__SHARED_FOLDER: folder }));
    for (const folder of [home, join(home, "shared"), "shared"])
      expect(open(folder)).toThrow(/which is inside BARAM_HOME .*outside/);
    expect(open(`${home}-tasks`)).not.toThrow();
  });

  test("somebody else owns the shared folder", () => {
    const shared = join(place, "theirs");
    mkdirSync(shared);
    writeFileSync(join(shared, "modules"), "");
    expect(() => openAccounts(config({ BARAM__WORKERS__SHARED_FOLDER: shared }))).toThrow(
      /set \[workers\] shared_folder to another place/,
    );
  });

  test("and its folders have exact modes, whatever the umask", () => {
    const before = process.umask(0o077);
    try {
      const shared = join(place, "exact");
      openAccounts(config({ BARAM__WORKERS__SHARED_FOLDER: shared }));
      const mode = (path: string) => (statSync(join(shared, path)).mode & 0o777).toString(8);
      expect(["", "modules", "users", "users/21001", "users/21001/home"].map(mode)).toEqual(["755", "755", "755", "711", "700"]);
    } finally {
      process.umask(before);
    }
  });
});

describe("a user that is not root", () => {
  const BARAM = 21_009;
  const SCRIPT = `
    import { spawnSync } from "node:child_process";
    const dist = (path) => import(process.env.DIST + path);
    const { loadConfig } = await dist("/config/index.js");
    const { openAccounts } = await dist("/main/accounts.js");
    const { commandAs } = await dist("/platform/index.js");
    try {
      const { account } = openAccounts(loadConfig());
      const look = "id -u; pwd; ls -d; grep -E 'Cap(Inh|Prm|Eff|Amb)|Groups' /proc/self/status; cat /proc/$PPID/environ";
      const start = commandAs(account, "/bin/sh", ["-c", look], { PATH: "/usr/bin:/bin" });
      console.log(spawnSync(start.command, start.args, { ...start.options, encoding: "utf8" }).stdout);
    } catch (error) {
      console.log(error.message);
    }`;

  function run(capabilities: string): string {
    const own = mkdtempSync(join(place, "ambient-"));
    const home = join(own, "home");
    mkdirSync(home, { mode: 0o700 });
    for (const path of [own, home]) chownSync(path, BARAM, BARAM);
    chmodSync(own, 0o755);
    const as = [
      `--reuid=${BARAM}`,
      `--regid=${BARAM}`,
      "--clear-groups",
      `--inh-caps=${capabilities}`,
      `--ambient-caps=${capabilities}`,
    ];
    return execFileSync("/usr/bin/setpriv", [...as, process.execPath, "--input-type=module", "--eval", SCRIPT], {
      encoding: "utf8",
      cwd: "/",
      env: {
        PATH: process.env.PATH,
        DIST: join(findPackageRoot(), "dist"),
        BARAM_HOME: home,
        BARAM__DATABASE__URL: "postgres://nobody@127.0.0.1/none",
        BARAM__CORE__DAGS_FOLDER: join(place, "dags"),
        BARAM__WORKERS__RUN_AS_USER: String(ALL),
      },
    });
  }

  test("can do the same with four capabilities, none of which the user code has", () => {
    const none = "\t0000000000000000";
    const lines = run("-all,+chown,+kill,+setgid,+setuid")
      .trim()
      .split("\n")
      .map((line) => line.trimEnd());
    expect(lines.splice(1, 1)).toEqual([expect.stringMatching(new RegExp(`/users/${ALL}/home$`))]);
    expect(lines).toEqual([
      String(ALL),
      ".",
      "Groups:",
      ...["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) => `${name}:${none}`),
    ]);
  });

  test("is told which capabilities are missing", () => {
    expect(run("-all,+setuid,+setgid")).toContain(
      "Baram runs as uid 21009 without CAP_CHOWN, CAP_KILL. Start Baram as root, or with these",
    );
  });
});

test("the package itself is where those users can read it", () => {
  expect(statSync(findPackageRoot()).mode & 0o005).toBe(0o005);
});
