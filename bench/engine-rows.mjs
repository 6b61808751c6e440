// Rows measured on a complete standalone Baram with warm runner processes (isolation label W: a warm process per task).
import { percentile, rowOf } from "./report.mjs";
import { startStandalone } from "./standalone.mjs";

const NOTE = `
import { appendFileSync } from "node:fs";
const clock = () => performance.timeOrigin + performance.now();
const timed = (work: () => unknown) => async (ctx: any) => {
  const start = clock();
  work();
  const end = clock();
  appendFileSync(process.env.BENCH_TRACE as string, JSON.stringify({ task: ctx.ti.taskId, attempt: ctx.ti.tryNumber, start, end, pid: process.pid }) + "\\n");
};
`;

/** One warm-up, then `runs` runs: the result of `measure` and the SQL statements per task for each run. */
async function repeat(engine, dagId, runs, measure) {
  const values = [];
  const statements = [];
  for (let at = 0; at <= runs; at++) {
    const before = await engine.statements();
    const { runId, triggeredAt } = await engine.trigger(dagId);
    const lines = await engine.finished(dagId, runId);
    const sent = (await engine.statements()) - before;
    if (at === 0) continue;
    values.push(measure(lines, triggeredAt));
    statements.push(sent / lines.length);
  }
  return { values, statements };
}

const statementRow = (statements, atMost) => rowOf("… SQL statements per task", "", statements, { atMost }, 2);

const lastEnd = (lines) => Math.max(...lines.map((line) => line.end));

export async function measureChain(runs) {
  const dag = `import { chain, dag, task } from "baram";${NOTE}
export default dag({ dagId: "chain40", schedule: null }, () => {
  chain(...Array.from({ length: 40 }, (_, at) => task({ taskId: "t" + at }, timed(() => {}))()));
});`;
  return withEngine({ "chain.ts": dag }, ["chain40"], async (engine) => {
    const { values, statements } = await repeat(
      engine,
      "chain40",
      runs,
      (lines, triggeredAt) => (lastEnd(lines) - triggeredAt) / 1_000,
    );
    return [
      rowOf("40 light tasks in sequence, trigger to last end", "s", values, { atMost: 0.45 }, 3),
      statementRow(statements, 20),
    ];
  });
}

export async function measureFib(runs) {
  const dag = `import { chain, dag, task } from "baram";${NOTE}
const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));
export default dag({ dagId: "fib", schedule: null }, () => {
  chain(...Array.from({ length: 10 }, (_, at) => task({ taskId: "t" + at }, timed(() => fib(33)))()));
});`;
  return withEngine({ "fib.ts": dag }, ["fib"], async (engine) => {
    const { values } = await repeat(
      engine,
      "fib",
      runs,
      (lines, triggeredAt) => (lastEnd(lines) - triggeredAt - lines.reduce((sum, line) => sum + line.end - line.start, 0)) / 10,
    );
    return [rowOf("10 × fib(33) in sequence, overhead per task", "ms", values, { atMost: 10 }, 1)];
  });
}

export async function measureFanOut(runs) {
  const dag = `import { chain, dag, task } from "baram";${NOTE}
export default dag({ dagId: "fan", schedule: null, maxActiveTasks: 1000 }, () => {
  const first = task({ taskId: "first" }, timed(() => {}))();
  const last = task({ taskId: "last" }, timed(() => {}))();
  chain(first, Array.from({ length: 1000 }, (_, at) => task({ taskId: "t" + at }, timed(() => {}))()), last);
});`;
  return withEngine({ "fan.ts": dag }, ["fan"], async (engine) => {
    const { values, statements } = await repeat(
      engine,
      "fan",
      runs,
      (lines, triggeredAt) => (lastEnd(lines) - triggeredAt) / 1_000,
    );
    return [
      rowOf("fan-out of 1,000 no-op tasks, whole run", "s", values, {}),
      rowOf(
        "… tasks per second",
        "1/s",
        values.map((s) => 1_002 / s),
        { atLeast: 1_000 },
        0,
      ),
      statementRow(statements, 5),
    ];
  });
}

export async function measureThreeSteps(runs) {
  const dag = `import { chain, dag, task } from "baram";${NOTE}
export default dag({ dagId: "three", schedule: null }, () => {
  chain(...[1, 2, 3].map((at) => task({ taskId: "t" + at }, timed(() => {}))()));
});`;
  return withEngine({ "three.ts": dag }, ["three"], async (engine) => {
    const samples = runs * 20;
    const { values } = await repeat(engine, "three", samples, (lines, triggeredAt) => lastEnd(lines) - triggeredAt);
    return [
      rowOf(`three trivial steps in sequence, trigger to last end, ${samples} samples`, "ms", values, { atMost: 25 }, 1),
      rowOf("… p95", "ms", [percentile(values, 0.95)], {}, 1),
    ];
  });
}

export async function measureManyUnfinished(runs) {
  // Ten chains of a thousand tasks: ten tasks can run at any time, and 9,000 are unfinished during the first thousand starts.
  const dag = `import { chain, dag, task } from "baram";${NOTE}
export default dag({ dagId: "many", schedule: null, maxActiveTasks: 16 }, () => {
  for (let c = 0; c < 10; c++) chain(...Array.from({ length: 1000 }, (_, at) => task({ taskId: "c" + c + "_" + at }, timed(() => { const until = performance.now() + 2; while (performance.now() < until); }))()));
});`;
  return withEngine({ "many.ts": dag }, ["many"], async (engine) => {
    const p50 = [];
    const p99 = [];
    const totals = [];
    for (let at = 0; at < Math.min(runs, 3); at++) {
      const { runId, triggeredAt } = await engine.trigger("many");
      const lines = await engine.finished("many", runId);
      const endOf = new Map(lines.map((line) => [line.task, line.end]));
      const first = [...lines].sort((a, b) => a.start - b.start).slice(0, 1_000);
      const waits = first.flatMap((line) => {
        const [, chain, at] = /^c(\d+)_(\d+)$/.exec(line.task);
        const before = endOf.get(`c${chain}_${Number(at) - 1}`);
        return before === undefined ? [] : [line.start - before];
      });
      p50.push(percentile(waits, 0.5));
      p99.push(percentile(waits, 0.99));
      totals.push(lines.length / ((lastEnd(lines) - triggeredAt) / 1_000));
    }
    return [
      rowOf("run of 10,000 tasks, dispatch latency with 9,000 unfinished, p50", "ms", p50, {}, 1),
      rowOf("… p99", "ms", p99, { atMost: 100 }, 1),
      rowOf("… whole run, tasks per second", "1/s", totals, {}, 0),
    ];
  });
}

async function withEngine(files, dagIds, work) {
  const engine = await startStandalone(files, dagIds);
  try {
    return await work(engine);
  } finally {
    await engine.stop();
  }
}
