import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEngine } from "../support/engine.ts";

test("the sequential executor runs one task at a time, the most important first", async () => {
  const engine = await startEngine({ environment: { BARAM__CORE__EXECUTOR: "SequentialExecutor" } });
  try {
    const trace = join(engine.home, "trace.ndjson");
    await engine.load({
      "line.ts": `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
export default dag({ dagId: "line", schedule: null }, () => {
  for (let i = 0; i < 6; i++) task({ taskId: "t" + i, priorityWeight: i, executor: i === 0 ? "sequential" : undefined }, async () => {
    appendFileSync(${JSON.stringify(trace)}, "start " + i + "\\n");
    await new Promise((r) => setTimeout(r, 30));
    appendFileSync(${JSON.stringify(trace)}, "end " + i + "\\n");
  })();
});`,
    });
    const runId = await engine.trigger("line");
    expect(await engine.finished("line", runId)).toBe("success");
    const lines = readFileSync(trace, "utf8").trim().split("\n");
    expect(lines).toEqual([5, 4, 3, 2, 1, 0].flatMap((i) => [`start ${i}`, `end ${i}`]));
  } finally {
    await engine.stop();
  }
});
