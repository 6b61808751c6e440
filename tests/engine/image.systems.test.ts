/** The container image: built, and one workload run in it, with the test's own Docker daemon. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Workload } from "../../src/contracts/index.ts";
import { findPackageRoot } from "../../src/platform/index.ts";
import { createFolderLogStore } from "../../src/task-logs/index.ts";
import { type Dockerd, importBase, startDockerd } from "../support/dockerd.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";
import { queueWorkload } from "../support/worker-process.ts";

type Task = Extract<Workload, { type: "ExecuteTask" }>;

const IMAGE = "baram:test";
let engine: Engine;
let api: TestApi;
let dockerd: Dockerd;

beforeAll(async () => {
  dockerd = await startDockerd();
  await importBase(dockerd, "base:test");
  const build = [
    join(findPackageRoot(), "scripts", "build-image.mjs"),
    "--tag",
    IMAGE,
    "--base",
    "base:test",
    "--node",
    "base:test",
  ];
  await promisify(execFile)(process.execPath, build, {
    env: { ...process.env, DOCKER_HOST: dockerd.host, DOCKER_BUILDKIT: "0" },
    maxBuffer: 2 ** 26,
  });
  engine = await startEngine({ withScheduler: false });
  api = await createTestApi(engine.store, {
    resources: { logs: createFolderLogStore(engine.config.logging.base_log_folder) },
  });
  await engine.load({
    "boxed.ts": `
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dag, task } from "baram";
export default dag({ dagId: "boxed", schedule: null }, () => {
  task({ taskId: "looks" }, async (ctx) => {
    console.log("inside");
    let root = "writable";
    try { writeFileSync("/opt/baram/x", "x"); } catch (error) { root = (error as { code: string }).code; }
    writeFileSync(join(tmpdir(), "mine"), "x");
    const attempt = (path: string) => { try { readFileSync(path); return "read"; } catch (error) { return (error as { code: string }).code; } };
    const status = readFileSync("/proc/self/status", "utf8");
    return {
      uid: process.getuid?.(), root, environment: JSON.stringify(process.env),
      parent: attempt("/proc/" + process.ppid + "/environ"),
      home: attempt("/var/lib/baram/x"),
      capabilities: [...status.matchAll(/^Cap(?:Prm|Eff|Amb):\\s*(\\w+)/gm)].map((match) => Number("0x" + match[1])),
      parentCapabilities: Number("0x" + /^CapEff:\\s*(\\w+)/m.exec(readFileSync("/proc/" + process.ppid + "/status", "utf8"))?.[1]),
    };
  })();
  task({ taskId: "waits", retries: 1 }, async (ctx) => {
    console.log("waiting");
    await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
  })();
});`,
  });
}, 180_000);
afterAll(async () => {
  await dockerd?.stop();
  await engine?.stop();
}, 60_000);

let runs = 0;
async function queued(taskId: string): Promise<Task> {
  const runId = await engine.trigger("boxed", { runId: `r${++runs}` });
  return queueWorkload(engine, { dagId: "boxed", runId, taskId });
}

/** As an executor starts it: the workload is in the environment. */
const given = (workload: Task) => [
  ...["--network=host", "--env", `BARAM_WORKLOAD=${JSON.stringify(workload)}`, "--env", `BARAM__API__BASE_URL=${engine.apiUrl}`],
];
const command = ["worker", "run", "--workload", "env"];

async function stateOf({ ti }: Task): Promise<string | null | undefined> {
  return (await engine.states("boxed", ti.runId))[ti.taskId];
}

async function logOf({ ti }: Task): Promise<string[]> {
  const path = `/api/v2/dags/boxed/dagRuns/${ti.runId}/taskInstances/${ti.taskId}/logs/1?full_content=true`;
  return (await api.get(path)).json.content.map((line: { event: string }) => line.event);
}

async function resultOf({ ti }: Task): Promise<Record<string, unknown> | undefined> {
  const { rows } = await engine.store.query<{ value: Record<string, unknown> }>(
    "select x.value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1 and x.task_id = $2 and x.key = 'return_value'",
    [ti.runId, ti.taskId],
  );
  return rows[0]?.value;
}

test("one workload runs in the container, as a user that reaches nothing of Baram's, and its log is there when the container is gone", async () => {
  const workload = await queued("looks");
  const { code, stderr } = await dockerd.ask("run", "--rm", ...given(workload), IMAGE, ...command);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("its end is stored") });
  expect(await dockerd.docker("ps", "--all", "--quiet")).toBe("");
  expect(await stateOf(workload)).toBe("success");
  const seen = await resultOf(workload);
  // Baram itself keeps CHOWN, KILL, SETGID and SETUID and nothing else; the task has nothing.
  expect(seen).toMatchObject({
    ...{ uid: 10_002, root: "EACCES", parent: "EACCES", home: "EACCES" },
    ...{ capabilities: [0, 0, 0], parentCapabilities: 0b1110_0001 },
  });
  expect(seen?.environment).not.toContain(workload.token);
  expect(await logOf(workload)).toContain("inside");
});

test("a read-only root and any user will do, where the temporary folder can be written", async () => {
  const workload = await queued("looks");
  const confined = ["--read-only", "--tmpfs", "/tmp", "--user", "54321:54321", "--cap-drop", "ALL"];
  const { code, stderr } = await dockerd.ask("run", "--rm", ...confined, ...given(workload), IMAGE, ...command);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain("does not start as root, so tasks run as Baram's own user");
  expect(await resultOf(workload)).toMatchObject({ uid: 54_321 });
});

test("a second container with the same workload, host name and process id starts nothing; one that is stopped sends its try to retry", async () => {
  const workload = await queued("waits");
  await dockerd.docker("run", "--detach", "--name", "stopped", ...given(workload), IMAGE, ...command);
  await expect.poll(() => logOf(workload), { timeout: 15_000 }).toContain("waiting");
  const second = await dockerd.ask("run", "--rm", ...given(workload), IMAGE, ...command);
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining("runs already") });
  expect(await stateOf(workload)).toBe("running");
  await dockerd.docker("stop", "--time", "30", "stopped");
  expect(await dockerd.docker("inspect", "--format", "{{.State.ExitCode}}", "stopped")).toBe("0");
  await dockerd.docker("rm", "stopped");
  expect(await stateOf(workload)).toBe("up_for_retry");
  expect(await logOf(workload)).toContain("the worker was stopped (SIGTERM)");
});

test("the image says what is wrong with a workload, and runs the other commands too", async () => {
  const wrong = await dockerd.ask("run", "--rm", "--network=host", "--env", "BARAM_WORKLOAD={}", IMAGE, ...command);
  expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("not a workload of this version") });
  expect(await dockerd.docker("run", "--rm", "--network=host", IMAGE, "version")).toMatch(/^\d+\.\d+\.\d+/);
});
