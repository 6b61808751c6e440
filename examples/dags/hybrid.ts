import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { dag, param, task } from "baram";
import { type Customer, readCustomers } from "./customers.ts";

type Summary = { gender: string; customers: number; meanScore: number };
type Point = { income: number; score: number };
type Segment = Point & { customers: number };

const SEGMENTS = 5;

/**
 * One run on three executors: light tasks on AWS Lambda, the heavy one on ECS, the rest on the scheduler's machine. It needs
 * `[core] executor = "LocalExecutor,EcsExecutor,LambdaExecutor"` and the setup of both (docs/executors/ecs.md, docs/executors/lambda.md).
 * Baram does not load this example without them. The code of the tasks does not depend on the executor.
 */
export default dag(
  {
    dagId: "hybrid",
    description: "Light tasks on Lambda, heavy ones on ECS, the rest on the scheduler's machine",
    schedule: null,
    tags: ["demo"],
    params: {
      input: param("examples/data/Mall_Customers.csv", { schema: { type: "string", minLength: 1 }, description: "The CSV file" }),
      report: param(".baram/demo/hybrid_report.txt", {
        schema: { type: "string", minLength: 1 },
        description: "The report to write",
      }),
    },
    defaultArgs: { owner: "demo", retries: 1, retryDelay: "5s" },
  },
  () => {
    // The files are on the scheduler's machine, so this task selects no executor and uses the first one of [core] executor.
    const read = task({ taskId: "read_customers" }, async (_ctx, path: string): Promise<Customer[]> => readCustomers(path));

    // These tasks read a few rows. A function starts faster than a container.
    const summarise = task(
      { taskId: "summarise", executor: "lambda", executionTimeout: "5m" },
      async (_ctx, gender: string, customers: Customer[]): Promise<Summary> => {
        const scores = customers.filter((one) => one.gender === gender).map((one) => one.spendingScore);
        const mean = scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
        return { gender, customers: scores.length, meanScore: Math.round(mean * 100) / 100 };
      },
    );

    // This task needs more CPU and memory, so it gets its own container size. `executorConfig` overrides the arguments of RunTask.
    const segment = task(
      { taskId: "segment", executor: "ecs", executorConfig: { overrides: { cpu: "1024", memory: "2048" } } },
      async (ctx, customers: Customer[]): Promise<Segment[]> => {
        const points = customers.map(({ annualIncome, spendingScore }) => ({ income: annualIncome, score: spendingScore }));
        const segments = findSegments(points, SEGMENTS);
        ctx.logger.info(`${points.length} customers in ${segments.length} segments`);
        return segments;
      },
    );

    const write = task(
      { taskId: "write_report" },
      async (_ctx, path: string, women: Summary, men: Summary, segments: Segment[]): Promise<string> => {
        const lines = [
          ...[women, men].map((one) => `${one.gender}: ${one.customers} customers, mean score ${one.meanScore.toFixed(2)}`),
          ...segments.map((one) => `income ${one.income.toFixed(0)}k, score ${one.score.toFixed(0)}: ${one.customers} customers`),
        ];
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        writeFileSync(`${path}.partial`, `${lines.join("\n")}\n`, { mode: 0o600 });
        renameSync(`${path}.partial`, path);
        return path;
      },
    );

    const customers = read("{{ params.input }}");
    const women = summarise("Female", customers);
    const men = summarise.override({ taskId: "summarise_men" })("Male", customers);
    write("{{ params.report }}", women, men, segment(customers));
  },
);

/** k-means with evenly spread starting points: deterministic, and sorted by income, highest first. */
function findSegments(points: readonly Point[], count: number): Segment[] {
  const sorted = [...points].sort((a, b) => a.income - b.income || a.score - b.score);
  let centres = Array.from({ length: count }, (_, at) => sorted[Math.floor(((at + 0.5) / count) * sorted.length)]).filter(
    (one) => one !== undefined,
  );
  for (let round = 0; round < 100; round++) {
    const groups = groupByNearest(points, centres);
    const moved = groups.map((group, at) => meanOf(group) ?? centres[at]).filter((one) => one !== undefined);
    const isSettled = moved.every((one, at) => one.income === centres[at]?.income && one.score === centres[at]?.score);
    centres = moved;
    if (isSettled) break;
  }
  const sizes = groupByNearest(points, centres).map((group) => group.length);
  return centres.map((centre, at) => ({ ...centre, customers: sizes[at] ?? 0 })).sort((a, b) => b.income - a.income);
}

function groupByNearest(points: readonly Point[], centres: readonly Point[]): Point[][] {
  const groups = centres.map((): Point[] => []);
  for (const point of points) {
    const distances = centres.map((one) => (one.income - point.income) ** 2 + (one.score - point.score) ** 2);
    groups[distances.indexOf(Math.min(...distances))]?.push(point);
  }
  return groups;
}

function meanOf(points: readonly Point[]): Point | null {
  if (points.length === 0) return null;
  const sum = points.reduce((total, one) => ({ income: total.income + one.income, score: total.score + one.score }));
  return { income: sum.income / points.length, score: sum.score / points.length };
}
