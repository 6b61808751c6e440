import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPackageRoot } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";

const csv = join(findPackageRoot(), "examples", "data", "Mall_Customers.csv");
let engine: Engine;

beforeAll(async () => {
  // The example for AWS executors is left out if these are not configured: it would have an import error, and the load would
  // fail.
  engine = await startEngine({ withExamples: true });
  await engine.load({});
}, 60_000);
afterAll(async () => {
  await engine?.stop();
});

// The expected values are computed from the CSV independently of the DAG.
type Row = { id: number; gender: string; age: number; income: number; score: number };
function expectedRows(): Row[] {
  const lines = readFileSync(csv, "utf8").trim().split("\n").slice(1);
  const rows = lines.map((line) => {
    const [id, gender, age, income, score] = line.split(",");
    return { id: Number(id), gender: gender ?? "", age: Number(age), income: Number(income), score: Number(score) };
  });
  return rows.sort((a, b) => (a.score === b.score ? a.id - b.id : a.score - b.score));
}

function errorOf(runId: string, taskId: string): string {
  const log = readFileSync(
    join(engine.config.logging.base_log_folder, `dag_id=mall_customers_sort/run_id=${runId}/task_id=${taskId}/attempt=1.log`),
    "utf8",
  );
  return log
    .split("\n")
    .filter((line) => line.includes('"error"'))
    .join("\n");
}

test("the report DAG has the customers sorted into 200 Parquet rows and reports the mean scores", async () => {
  const parquet = join(engine.home, "out", "sorted.parquet");
  const report = join(engine.home, "out", "report.txt");
  const runId = await engine.trigger("mall_customers_report", { conf: { input: csv, parquet, report } });
  expect(await engine.finished("mall_customers_report", runId)).toBe("success");

  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(parquet) });
  const expected = expectedRows();
  expect(rows).toHaveLength(200);
  expect(
    rows.map((row) => [row.CustomerID, row.Gender, row.Age, row["Annual Income (k$)"], row["Spending Score (1-100)"]]),
  ).toEqual(expected.map((row) => [row.id, row.gender, row.age, row.income, row.score]));

  const text = readFileSync(report, "utf8");
  for (const [gender, label, from, to] of [
    ["Female", "under 25", 0, 24],
    ["Male", "25-34", 25, 34],
    ["Female", "35-49", 35, 49],
    ["Male", "50 and over", 50, 200],
  ] as const) {
    const scores = expected.filter((row) => row.gender === gender && row.age >= from && row.age <= to).map((row) => row.score);
    const mean = scores.reduce((a, b) => a + b, 0) / scores.length;
    expect(text).toMatch(new RegExp(`${gender}\\s+${label}\\s+${scores.length}\\s+${mean.toFixed(2).replace(".", "\\.")}`));
  }
  const sortRun = await engine.store.query<{ run_id: string; value: number }>(
    "select r.run_id, x.value from xcom x join dag_run r on r.id = x.dag_run_id where x.task_id = 'write_parquet' and x.key = 'return_value'",
  );
  expect(sortRun.rows).toEqual([{ run_id: `for_report__${runId}__1`, value: 200 }]);
});

test("a bad row fails the reading task with the line's number and the value", async () => {
  const bad = join(engine.home, "bad.csv");
  mkdirSync(engine.home, { recursive: true });
  const lines = readFileSync(csv, "utf8").split("\n");
  lines[99] = (lines[99] ?? "").replace(/,\d+$/, ",1x7");
  writeFileSync(bad, lines.join("\n"));
  const runId = await engine.trigger("mall_customers_sort", { conf: { input: bad, output: join(engine.home, "never.parquet") } });
  expect(await engine.finished("mall_customers_sort", runId)).toBe("failed");
  expect(await engine.states("mall_customers_sort", runId)).toEqual({
    read_and_check: "failed",
    sort: "upstream_failed",
    write_parquet: "upstream_failed",
  });
  await expect.poll(() => errorOf(runId, "read_and_check")).toMatch(/bad\.csv, line 100: Spending Score \(1-100\) is \\"1x7\\"/);
});

test("a missing file fails the reading task and is named", async () => {
  const runId = await engine.trigger("mall_customers_sort", { conf: { input: "/nowhere/customers.csv" } });
  expect(await engine.finished("mall_customers_sort", runId)).toBe("failed");
  await expect.poll(() => errorOf(runId, "read_and_check")).toContain("cannot read /nowhere/customers.csv");
});
