/** A task that runs as the user of the platform can write to the module cache: what it leaves there must not run as another DAG. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
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
