/** Tasks that misbehave: the try fails or continues as documented, its slot is freed, and nothing else is affected. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({
    environment: {
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1",
      BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: "0.3",
      BARAM__LOGGING__MAX_FILE_BYTES: "300000",
    },
  });
}, 60_000);
afterAll(async () => {
  await engine?.stop();
});

/** The last lines of the log may be written a moment after the run has ended. */
function expectLog(dagId: string, runId: string, taskId: string) {
  return expect.poll(() => logOf(dagId, runId, taskId).slice(-3_000), { timeout: 5_000 });
}

function logOf(dagId: string, runId: string, taskId: string): string {
  return readFileSync(
    join(engine.config.logging.base_log_folder, `dag_id=${dagId}/run_id=${runId}/task_id=${taskId}/attempt=1.log`),
    "utf8",
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that has not been waited for is dead too.
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

async function run(dagId: string, timeoutMs = 60_000): Promise<{ runId: string; state: string }> {
  const runId = await engine.trigger(dagId);
  return { runId, state: await engine.finished(dagId, runId, timeoutMs) };
}

test("process.exit, a crash and a kill -9 of the runner fail the try with how it died", async () => {
  await engine.load({
    "deaths.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "deaths", schedule: null }, () => {
  task({ taskId: "exits" }, async () => { process.exit(0); })();
  task({ taskId: "aborts" }, async () => { process.abort(); })();
  task({ taskId: "killed" }, async () => { process.kill(process.pid, "SIGKILL"); await new Promise(() => {}); })();
  task({ taskId: "rejects_unseen" }, async () => { Promise.reject(new Error("nobody looks")); return 1; })();
});`,
  });
  const { runId, state } = await run("deaths");
  expect(state).toBe("failed");
  expect(await engine.states("deaths", runId)).toEqual({
    exits: "failed",
    aborts: "failed",
    killed: "failed",
    rejects_unseen: "failed",
  });
  await expectLog("deaths", runId, "exits").toContain("ended with exit code 0");
  await expectLog("deaths", runId, "aborts").toContain("SIGABRT");
  await expectLog("deaths", runId, "killed").toContain("SIGKILL");
});

test("a task that ignores SIGTERM and forks detached children is ended with all of them", async () => {
  const pids = join(engine.home, "pids.json");
  await engine.load({
    "deaf.ts": `
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "deaf", schedule: null, dagrunTimeout: { seconds: 2 } }, () => {
  task({ taskId: "hang" }, async () => {
    process.removeAllListeners("SIGTERM");
    process.on("SIGTERM", () => {});
    const child = spawn("bash", ["-c", "trap '' TERM; setsid sleep 600 & sleep 600"], { detached: true, stdio: "ignore" });
    await new Promise((r) => setTimeout(r, 300));
    writeFileSync(${JSON.stringify(pids)}, JSON.stringify([process.pid, child.pid]));
    for (;;) await new Promise((r) => setTimeout(r, 1000));
  })();
});`,
  });
  const { state } = await run("deaf");
  expect(state).toBe("failed");
  const [runner, child] = JSON.parse(readFileSync(pids, "utf8")) as [number, number];
  await expect.poll(() => isAlive(runner) || isAlive(child), { timeout: 15_000 }).toBe(false);
});

test("what a task leaves running behind it is ended with the task", async () => {
  const pidFile = join(engine.home, "left.pid");
  await engine.load({
    "leaver.ts": `
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "leaver", schedule: null }, () => {
  task({ taskId: "leave" }, async () => {
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    child.unref();
    writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
  })();
});`,
  });
  expect((await run("leaver")).state).toBe("success");
  const pid = Number(readFileSync(pidFile, "utf8"));
  await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
});

test("a task that closes its stdout and stderr still succeeds", async () => {
  await engine.load({
    "closer.ts": `
import { closeSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "closer", schedule: null }, () => {
  task({ taskId: "close" }, async (ctx) => { closeSync(1); closeSync(2); ctx.logger.info("still here"); return 7; })();
});`,
  });
  const { runId, state } = await run("closer");
  expect(state).toBe("success");
  await expectLog("closer", runId, "close").toContain("still here");
});

test("a gigabyte in one line is cut with a mark, and no process grows by it", async () => {
  await engine.load({
    "shouter.ts": `
import { dag, task } from "baram";
import { BashOperator } from "baram/operators";
export default dag({ dagId: "shouter", schedule: null }, () => {
  task({ taskId: "shout" }, async () => {
    const chunk = Buffer.alloc(1 << 20, 120);
    const { writeSync } = await import("node:fs");
    for (let i = 0; i < 1024; i++) for (let at = 0; at < chunk.length; ) { try { at += writeSync(1, chunk, at); } catch (e: any) { if (e.code !== "EAGAIN") throw e; await new Promise((r) => setTimeout(r, 1)); } }
    console.log("");
    console.log("after the line");
  })();
});`,
  });
  const before = process.memoryUsage.rss();
  const { runId, state } = await run("shouter", 90_000);
  expect(state).toBe("success");
  await expectLog("shouter", runId, "shout").toContain("after the line");
  const log = logOf("shouter", runId, "shout");
  expect(log).toMatch(/line truncated: \d{10} more bytes/);
  expect(log.length).toBeLessThan(400_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
}, 120_000);

test("a log over its size limit is cut with a mark, and the task goes on", async () => {
  await engine.load({
    "chatter.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "chatter", schedule: null }, () => {
  task({ taskId: "chat" }, async (ctx) => { for (let i = 0; i < 20000; i++) { console.log("line " + i + " of many, made long enough to fill the file"); } return "done"; })();
});`,
  });
  const { runId, state } = await run("chatter");
  expect(state).toBe("success");
  await expectLog("chatter", runId, "chat").toContain("log truncated: it reached 300000 bytes");
  expect(logOf("chatter", runId, "chat").length).toBeLessThan(310_000);
});

test("the stack of a failure begins in the DAG file, by its own lines, and holds nothing of Baram", async () => {
  const file = `
import { dag, task } from "baram";
type Typed = { readonly text: string };
const deep = ({ text }: Typed): never => { throw new TypeError(text); };
export default dag({ dagId: "fails", schedule: null }, () => {
  task({ taskId: "fail" }, async (ctx) => {
    await ctx.sleep({ seconds: 0 });
    deep({ text: "on purpose" });
  })();
});`;
  await engine.load({ "fails.ts": file });
  const { runId, state } = await run("fails");
  expect(state).toBe("failed");
  await expectLog("fails", runId, "fail").toContain("the try ended");
  const logged =
    logOf("fails", runId, "fail")
      .split("\n")
      .find((line) => line.includes("on purpose") && line.includes("stack")) ?? "{}";
  const stack: string[] = JSON.parse(logged).error.stack.split("\n");
  expect(stack[0]).toBe("TypeError: on purpose");
  expect(stack[1]).toMatch(/^\s+at deep \(.*fails\.ts:4:\d+\)$/);
  expect(stack[2]).toMatch(/fails\.ts:8:\d+\)?$/);
  expect(stack).toHaveLength(3);
});

test("after all of that the engine runs an ordinary DAG at once", async () => {
  await engine.load({
    "fine.ts": `import { dag, task } from "baram"; export default dag({ dagId: "fine", schedule: null }, () => { task({ taskId: "ok" }, async () => "ok")(); });`,
  });
  expect((await run("fine", 10_000)).state).toBe("success");
  const { rows } = await engine.store.query("select 1 from task_instance where state in ('queued', 'running', 'restarting')");
  expect(rows).toHaveLength(0);
});
