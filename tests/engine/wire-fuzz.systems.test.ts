/**
 * User code writes random bytes and forged messages to the descriptor of its process, for 20 s on each of the three wires: no parent
 * dies, and no neighbour's try, trigger or file is touched. BARAM_SEED repeats a run.
 */
import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DAG_DEFAULTS } from "../../src/contracts/index.ts";
import { createEvaluator } from "../../src/dag-files/evaluator.ts";
import { materializeModule } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { forgedBytes } from "../support/forged-frames.ts";

const SEED = Number(process.env.BARAM_SEED ?? Date.now() % 1_000_000_000);
const FUZZ_MS = 20_000;
const ATTACKS = 12;

let engine: Engine;
beforeAll(async () => {
  console.log(`BARAM_SEED=${SEED}`);
  engine = await startEngine({
    environment: {
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "1",
      BARAM__TRIGGERER__BLOCKED_PROCESS_TIMEOUT: "2",
      BARAM__TRIGGERER__MAX_TRIGGER_DEATHS: "1",
    },
  });
  await engine.startTriggerer();
}, 60_000);
afterAll(() => engine?.stop(), 60_000);

/** Rounds of forged texts until the time is over; each round with a seed of its own. */
async function fuzz(types: readonly string[], round: (forged: string[], at: number) => Promise<void>): Promise<number> {
  const until = Date.now() + FUZZ_MS;
  let at = 0;
  for (; Date.now() < until; at++) {
    const forged = fc.sample(forgedBytes(types), { seed: SEED + at, numRuns: ATTACKS }).map((bytes) => bytes.toString("base64"));
    await round(forged, at);
  }
  return at;
}

test("tries beside those that forge messages end as they should", async () => {
  await engine.load({
    "fuzzed.ts": `
import { writeSync } from "node:fs";
import { dag, task } from "baram";
const attack = task({ taskId: "attack", executionTimeout: "2s" }, async (ctx, at: number) => {
  const bytes = Buffer.from((ctx.conf.forged as string[])[at] ?? "", "base64");
  writeSync(3, bytes);
  await ctx.sleep("20ms");
  return at;
});
export const fuzzed = dag({ dagId: "fuzzed", schedule: null }, () => { attack.expand(${JSON.stringify([...Array(ATTACKS).keys()])}); });
const work = task({ taskId: "work" }, async (ctx, n: number) => { await ctx.sleep("100ms"); ctx.logger.info("worked", { n }); return n * 2; });
const sum = task({ taskId: "sum" }, async (_ctx, all: number[]) => all.reduce((a, b) => a + b, 0));
export const neighbour = dag({ dagId: "neighbour", schedule: null }, () => { sum(work.expand([1, 2, 3, 4])); });
`,
  });
  const rounds = await fuzz(["log", "call", "stopping", "outcome", "idle", "spent", "ready"], async (forged) => {
    const attacked = await engine.trigger("fuzzed", { conf: { forged } });
    const beside = await engine.trigger("neighbour");
    expect(await engine.finished("neighbour", beside, 60_000)).toBe("success");
    // Whatever it forged, each of its tries has ended: none beats for ever.
    await engine.finished("fuzzed", attacked, 60_000);
    const { rows } = await engine.store.query<{ value: number }>(
      "select value from xcom x join dag_run r on r.id = x.dag_run_id where r.run_id = $1 and x.task_id = 'sum'",
      [beside],
    );
    expect(rows.map(({ value }) => value)).toEqual([20]);
    const tries = await engine.store.query<{ n: number }>(
      "select max(try_number)::int as n from task_instance where run_id = $1",
      [beside],
    );
    expect(tries.rows[0]?.n).toBe(1);
  });
  expect(rounds).toBeGreaterThan(1);
}, 150_000);

test("triggers beside those that forge messages fire", async () => {
  await engine.load({
    "fuzzed-triggers.ts": `
import { writeSync } from "node:fs";
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Forger extends BaseTrigger {
  async *run(ctx) { writeSync(3, Buffer.from(this.options.bytes, "base64")); await ctx.sleep("300ms"); yield new TriggerEvent(); }
}
class Waits extends BaseTrigger {
  async *run(ctx) { await ctx.sleep("100ms"); yield new TriggerEvent("fired"); }
}
registerTrigger("Forger", Forger);
registerTrigger("Waits", Waits);
export default dag({ dagId: "fuzzed_triggers", schedule: null }, () => {
  task({ taskId: "forge" }, async (ctx, at: number) => {
    const bytes = (ctx.conf.forged as string[])[at] ?? "";
    if (!ctx.resumed) defer({ trigger: new Forger({ bytes }), method: "__resume__", timeout: "5s" });
  }).expand(${JSON.stringify([...Array(ATTACKS).keys()])});
});`,
    "waiting.ts": `
import { BaseTrigger, dag, defer, registerTrigger, task, TriggerEvent } from "baram";
class Waits extends BaseTrigger {
  async *run(ctx) { await ctx.sleep("300ms"); yield new TriggerEvent("fired"); }
}
registerTrigger("Waits", Waits);
export default dag({ dagId: "waiting", schedule: null }, () => {
  task({ taskId: "wait" }, async (ctx, _n: number) => { if (!ctx.resumed) defer({ trigger: new Waits({}), method: "__resume__" }); }).expand([1, 2, 3]);
});`,
  });
  await fuzz(["ready", "pong", "loaded", "end", "stopped", "log", "blocked", "call"], async (forged) => {
    const attacked = await engine.trigger("fuzzed_triggers", { conf: { forged } });
    const beside = await engine.trigger("waiting");
    expect(await engine.finished("waiting", beside, 60_000)).toBe("success");
    await engine.finished("fuzzed_triggers", attacked, 90_000);
  });
}, 200_000);

test("files beside those that forge messages are evaluated", async () => {
  const folder = mkdtempSync(join(tmpdir(), "baram-fuzz-"));
  const evaluator = createEvaluator({
    environment: { PATH: process.env.PATH ?? "" },
    memoryMb: 256,
    timeoutSec: 3,
    filesPerProcess: 10,
  });
  /** As the dag-processor keeps modules: in a folder of their hash. */
  const write = (code: string) => {
    const hash = createHash("sha256").update(code).digest("hex");
    return materializeModule({ hash, code, externals: [] }, folder, []);
  };
  const facts = { defaults: DAG_DEFAULTS, seeds: {}, now: 0 };
  await fuzz(["ready", "dags", "threw", "exiting"], async (forged, at) => {
    for (const [n, bytes] of forged.entries()) {
      const attack = `import { writeSync } from "node:fs"; writeSync(3, Buffer.from("${bytes}", "base64"));`;
      await evaluator.evaluate(await write(`${attack} // ${at}`), "bad.ts", facts).catch(() => null);
      const good = await write(`export const n = "${at}-${n}";`);
      expect((await evaluator.evaluate(good, "good.ts", facts)).dags).toEqual([]);
    }
  });
  await evaluator.stop();
}, 120_000);
