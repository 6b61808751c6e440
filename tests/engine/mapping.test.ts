import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Engine, startEngine } from "../support/engine.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine({ environment: { BARAM__CORE__MAX_MAP_LENGTH: "20" } });
}, 60_000);
afterAll(async () => {
  await engine?.stop();
});

async function run(dagId: string) {
  const runId = await engine.trigger(dagId);
  const state = await engine.finished(dagId, runId);
  return { runId, state, states: await engine.states(dagId, runId) };
}

async function resultsOf(runId: string, taskId: string): Promise<unknown[]> {
  const { rows } = await engine.store.query<{ value: unknown }>(
    `select x.value from xcom x join dag_run r on r.id = x.dag_run_id
      where r.run_id = $1 and x.task_id = $2 and x.key = 'return_value' order by x.map_index`,
    [runId, taskId],
  );
  return rows.map((row) => row.value);
}

async function reasonOf(runId: string, taskId: string): Promise<string> {
  const path = `dag_id=%/run_id=${runId}/task_id=${taskId}/attempt=1.log`;
  const file = join(engine.config.logging.base_log_folder, path.replace("%", "limits"));
  await expect.poll(() => readFileSync(file, "utf8"), { timeout: 5_000 }).toContain("the task failed");
  return readFileSync(file, "utf8");
}

test("lists, results, objects, map, zip, concat and cross products are mapped over, and collected in order", async () => {
  await engine.load({
    "forms.ts": `
import { concat, dag, task, zip } from "baram";
import { BashOperator } from "baram/operators";
dag({ dagId: "forms", schedule: null, maxActiveTasks: 32, params: { who: "Ada" } }, () => {
  const numbers = task({ taskId: "numbers" }, async () => [1, 2, 3])();
  const ages = task({ taskId: "ages" }, async () => ({ ada: 36, bob: 41 }))();
  const nothing = task({ taskId: "nothing" }, async () => [] as number[])();
  const double = task({ taskId: "double" }, async (_ctx, n: number) => (n === 2 ? undefined : n * 2));
  const doubled = double.expand(numbers);
  task({ taskId: "sum" }, async (_ctx, all: number[]) => all)(doubled);
  task({ taskId: "of_mapped" }, async (_ctx, n: number) => n + 1).expand(doubled);
  task({ taskId: "cross" }, async (_ctx, by: string, n: number, text: string) => by + n + text).partial("x").expand(numbers, ["a {{ params.who }}", "b"]);
  task({ taskId: "named" }, async (_ctx, { n, add = 0 }: { n: number; add?: number }) => n + add).partial({ add: 10 }).expand({ n: numbers });
  task({ taskId: "kwargs" }, async (_ctx, o: { n: number; m: number }) => o.n * o.m).partial({ m: 3 }).expandKwargs(numbers.map((n) => ({ n })));
  task({ taskId: "pairs" }, async (_ctx, [name, age]: [string, number]) => name + age).expand(ages);
  task({ taskId: "zipped" }, async (_ctx, pair: (number | string)[]) => pair.join("-")).expand(zip(numbers, ["a", "b"], { fillValue: "?" }));
  task({ taskId: "joined" }, async (_ctx, n: number) => n).expand(concat(numbers, [7], doubled));
  task({ taskId: "skips" }, async (_ctx, n: number) => n).expand(numbers.map((n) => (n === 1 ? undefined : n * 100)));
  const empty = task({ taskId: "empty" }, async (_ctx, n: number) => n).expand(nothing);
  task({ taskId: "anyway", triggerRule: "none_failed" }, async () => "ran")().after(empty);
  BashOperator.partial({ taskId: "bash", mapIndexTemplate: "{{ task.bashCommand }} of {{ ti.map_index }}" }).expand({ bashCommand: ["echo {{ params.who }}", "echo {{ map_index }}"] });
});`,
  });
  const { runId, state, states } = await run("forms");
  expect(state).toBe("success");
  const results: Record<string, unknown[]> = {};
  for (const taskId of [
    "double",
    "sum",
    "of_mapped",
    "cross",
    "named",
    "kwargs",
    "pairs",
    "zipped",
    "joined",
    "skips",
    "bash",
    "anyway",
  ]) {
    results[taskId] = await resultsOf(runId, taskId);
  }
  expect(results).toEqual({
    double: [2, 6],
    sum: [[2, 6]],
    of_mapped: [3, 7],
    cross: ["x1a Ada", "x1b", "x2a Ada", "x2b", "x3a Ada", "x3b"],
    named: [11, 12, 13],
    kwargs: [3, 6, 9],
    pairs: ["ada36", "bob41"],
    zipped: ["1-a", "2-b", "3-?"],
    joined: [1, 2, 3, 7, 2, 6],
    skips: [200, 300],
    bash: ["Ada", "1"],
    anyway: ["ran"],
  });
  expect(states).toMatchObject({ empty: "skipped", "skips[0]": "skipped", "skips[1]": "success", "double[1]": "success" });
  const { rows } = await engine.store.query<{ name: string }>(
    "select rendered_map_index as name from task_instance where run_id = $1 and task_id = 'bash' order by map_index",
    [runId],
  );
  expect(rows.map((row) => row.name)).toEqual(["echo Ada of 0", "echo 1 of 1"]);
}, 60_000);

test("a mapped group runs its tasks index by index, with branches of their own, and is collected as lists", async () => {
  await engine.load({
    "groups.ts": `
import { dag, task, taskGroup, type XComArg } from "baram";
import { branch } from "baram/operators";
dag({ dagId: "groups", schedule: null, maxActiveTasks: 32 }, () => {
  const list = task({ taskId: "list" }, async () => ["a", "b", "c"]);
  const group = taskGroup("per", (item: XComArg<string>, factor: XComArg<number>) => {
    const made = task({ taskId: "make" }, async (_ctx, text: string, n: number) => text.repeat(n))(item, factor);
    const pick = branch({ taskId: "pick" }, (_ctx, text: string) => (text === "bb" ? "per.even" : "per.odd"))(made);
    const even = task({ taskId: "even" }, async (_ctx, text: string) => "even " + text)(made);
    const odd = task({ taskId: "odd" }, async (_ctx, text: string) => "odd " + text)(made);
    pick.before([even, odd]);
    return { made, even, odd };
  }).expand(list(), [1, 2]);
  task({ taskId: "collect", triggerRule: "none_failed" }, async (_ctx, made: string[], even: string[]) => ({ made, even }))(group.result.made, group.result.even).after(group);
});`,
  });
  const { runId, state, states } = await run("groups");
  expect(state).toBe("success");
  expect(await resultsOf(runId, "collect")).toEqual([{ made: ["a", "aa", "b", "bb", "c", "cc"], even: ["even bb"] }]);
  expect(states).toMatchObject({
    "per.even[3]": "success",
    "per.odd[3]": "skipped",
    "per.even[0]": "skipped",
    "per.odd[0]": "success",
  });
}, 60_000);

test("a result that cannot be mapped over fails the task that returned it, for good and with the reason", async () => {
  await engine.load({
    "limits.ts": `
import { dag, task } from "baram";
dag({ dagId: "limits", schedule: null, maxActiveTasks: 32, defaultArgs: { retries: 2, retryDelay: { seconds: 0.1 } } }, () => {
  const use = task({ taskId: "use" }, async (_ctx, n: any) => n);
  for (const [taskId, value] of [["text", "abc"], ["none", undefined], ["long", Array.from({ length: 21 }, (_, at) => at)]] as [string, any][]) {
    use.override({ taskId: "use_" + taskId }).expand(task({ taskId }, async () => value)() as any);
  }
});`,
  });
  const { runId, state, states } = await run("limits");
  expect(state).toBe("failed");
  expect(states).toEqual({
    long: "failed",
    none: "failed",
    text: "failed",
    use_long: "upstream_failed",
    use_none: "upstream_failed",
    use_text: "upstream_failed",
  });
  expect(await reasonOf(runId, "long")).toContain("it has 21 elements, more than the 20 allowed");
  expect(await reasonOf(runId, "text")).toContain("it returned a string");
  expect(await reasonOf(runId, "none")).toContain("it returned nothing");
}, 60_000);
