/** A task that runs as the user of the platform can write to the module cache: what it leaves there must not run as another DAG. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEngine } from "../support/engine.ts";

test("code that was put into the module cache in place of a DAG's never runs, and the DAG's tries get their own code again", async () => {
  const engine = await startEngine({ environment: { BARAM__LOCAL_EXECUTOR__ISOLATION: "process" } });
  try {
    const trace = join(engine.home, "trace");
    await engine.load({
      "victim.ts": `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "victim", schedule: null, defaultArgs: { retries: 4, retryDelay: "0.3s" } }, () => {
  task({ taskId: "t" }, async () => appendFileSync(${JSON.stringify(trace)}, "own\\n"))();
});`,
    });
    expect(await engine.finished("victim", await engine.trigger("victim"))).toBe("success");

    const cache = join(engine.config.home, "cache", "modules");
    const [hash = ""] = readdirSync(cache).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const file = join(cache, hash, "dag.mjs");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll("own", "foreign"));
    expect(await engine.finished("victim", await engine.trigger("victim"))).toBe("success");
    expect(readFileSync(trace, "utf8")).toBe("own\nown\n");
    expect(readFileSync(file, "utf8")).toContain("own");
  } finally {
    await engine.stop();
  }
});

test("a try whose module cannot be loaded says so in its log, and a warm process does not keep the failure", async () => {
  const engine = await startEngine({ environment: { BARAM__CORE__PARALLELISM: "1" } });
  try {
    const lock = join(engine.home, "lock");
    await engine.load({
      "broken.ts": `
import { existsSync } from "node:fs";
import { dag, task } from "baram";
if (existsSync(${JSON.stringify(lock)})) throw new Error("the lock is there");
export default dag({ dagId: "broken", schedule: null }, () => { task({ taskId: "t" }, () => 1)(); });`,
      "other.ts": `import { dag, task } from "baram"; export default dag({ dagId: "other", schedule: null }, () => { task({ taskId: "t" }, () => 1)(); });`,
    });
    expect(await engine.finished("other", await engine.trigger("other"))).toBe("success");
    writeFileSync(lock, "");
    const runId = await engine.trigger("broken");
    expect(await engine.finished("broken", runId)).toBe("failed");
    const log = join(engine.config.logging.base_log_folder, `dag_id=broken/run_id=${runId}/task_id=t/attempt=1.log`);
    await expect.poll(() => readFileSync(log, "utf8"), { timeout: 5_000 }).toContain("the lock is there");
    rmSync(lock);
    expect(await engine.finished("broken", await engine.trigger("broken"))).toBe("success");
  } finally {
    await engine.stop();
  }
});
