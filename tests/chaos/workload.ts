/** DAGs that are generated from a seed, and whose tasks record their steps in a file. */
import { callbackTraceOf, type DagSpec, type TaskSpec } from "./checker/index.ts";
import type { Random } from "./random.ts";

export type PoolSpec = { name: string; slots: number };
export type Workload = { dags: DagSpec[]; pools: PoolSpec[] };

const RETRIES = 25;

function plain(taskId: string, upstream: readonly string[], random: Random, more: Partial<TaskSpec> = {}): TaskSpec {
  // Many retries: a fault may end many tries, but no task.
  return { taskId, upstream, retries: RETRIES, failTries: 0, durationMs: random.between(5, 60), ...more };
}

/** One task, `width` tasks after it, and one after all of them; some fail a few times first. */
export function fanOut(dagId: string, width: number, random: Random): DagSpec {
  const middle = Array.from({ length: width }, (_, at) =>
    plain(`m${at}`, ["first"], random, { failTries: random.chance(0.1) ? random.between(1, 2) : 0 }),
  );
  const last = plain(
    "last",
    middle.map((task) => task.taskId),
    random,
  );
  return { dagId, schedule: null, maxActiveTasks: 16, maxActiveRuns: 4, tasks: [plain("first", [], random), ...middle, last] };
}

export function chainOf(dagId: string, length: number, random: Random): DagSpec {
  const tasks = Array.from({ length }, (_, at) => plain(`c${at}`, at === 0 ? [] : [`c${at - 1}`], random));
  return { dagId, callbacks: true, schedule: null, maxActiveTasks: 4, maxActiveRuns: 4, tasks };
}

/** Layers in which each task waits for some tasks of the previous layer. */
export function layers(dagId: string, depth: number, width: number, random: Random): DagSpec {
  const tasks: TaskSpec[] = [];
  for (let layer = 0; layer < depth; layer++)
    for (let at = 0; at < width; at++) {
      const upstream = layer === 0 ? [] : [...new Set([at, (at + 1) % width, random.between(0, width - 1)])];
      tasks.push(
        plain(
          `l${layer}_${at}`,
          upstream.map((one) => `l${layer - 1}_${one}`),
          random,
        ),
      );
    }
  return { dagId, schedule: null, maxActiveTasks: 12, maxActiveRuns: 2, tasks };
}

/** A task that fails permanently, the tasks that it holds back, and tasks that run nevertheless. */
export function failing(dagId: string, random: Random): DagSpec {
  return {
    dagId,
    callbacks: true,
    schedule: null,
    maxActiveTasks: 4,
    maxActiveRuns: 4,
    tasks: [
      plain("a", [], random),
      plain("broken", ["a"], random, { retries: 1, failTries: 99 }),
      plain("held", ["broken"], random),
      plain("cleanup", ["broken", "a"], random, { triggerRule: "all_done" }),
    ],
  };
}

/** Tasks with several slots in a small pool, and tasks of which only one may run at a time. */
export function pooled(dagId: string, pool: string, count: number, random: Random): DagSpec {
  const tasks = Array.from({ length: count }, (_, at) =>
    plain(`p${at}`, [], random, at % 4 === 0 ? { maxActiveTisPerDag: 1 } : { pool, poolSlots: (at % 2) + 1 }),
  );
  return { dagId, schedule: null, maxActiveTasks: 16, maxActiveRuns: 4, tasks };
}

/** Tasks that free their worker and continue after a trigger has fired; some fail a few times and wait again. */
export function waiting(dagId: string, count: number, random: Random): DagSpec {
  const tasks = Array.from({ length: count }, (_, at) =>
    plain(`w${at}`, [], random, { deferMs: random.between(200, 3_000), failTries: random.chance(0.2) ? 1 : 0 }),
  );
  return { dagId, schedule: null, maxActiveTasks: 16, maxActiveRuns: 4, tasks };
}

/** Tasks whose first tries ignore the stop signal: they write until their process is killed. */
export function deaf(dagId: string, count: number, random: Random): DagSpec {
  const tasks = Array.from({ length: count }, (_, at) =>
    plain(`d${at}`, [], random, { deafTries: 1, executionTimeout: { seconds: 0.5 } }),
  );
  return { dagId, schedule: null, maxActiveTasks: 4, maxActiveRuns: 4, tasks };
}

/** Tasks that succeed and leave a timer or process that goes on writing until it is ended. */
export function leaving(dagId: string, random: Random): DagSpec {
  const tasks = (["timer", "process"] as const).map((leaves) => plain(leaves, [], random, { leaves, durationMs: 200 }));
  return { dagId, schedule: null, maxActiveTasks: 4, maxActiveRuns: 4, tasks };
}

/** A mix of all kinds, about `size` tasks. */
export function mixedLoad(random: Random, size: number): Workload {
  const part = Math.max(4, Math.floor(size / 5));
  return {
    pools: [{ name: "few", slots: 3 }],
    dags: [
      fanOut("fan", 2 * part, random),
      layers("layers", 4, Math.ceil(part / 3), random),
      chainOf("chain", Math.max(4, Math.floor(part / 3)), random),
      pooled("pooled", "few", part, random),
      failing("failing", random),
      deaf("deaf", 2, random),
      leaving("leaving", random),
    ],
  };
}

/** The text of a DAG file with these DAGs. Their tasks append to `trace` with one write per line, so lines are never partial. */
export function dagFile(dags: readonly DagSpec[], trace: string): string {
  return `import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { dag, defer, task, TimeDeltaTrigger } from "baram";

const dags = ${JSON.stringify(dags)};
const note = (what: string, { id, dagId, runId, taskId, mapIndex, tryNumber }: any) =>
  appendFileSync(
    ${JSON.stringify(trace)},
    JSON.stringify({ what, dag: dagId, run: runId, task: taskId, mapIndex, tryNumber, tryId: id, pid: process.pid,
      wallMs: Date.now(), monotonicMs: Number(process.hrtime.bigint()) / 1e6 }) + "\\n",
  );

const writeElsewhere = ({ id, dagId, runId, taskId, mapIndex, tryNumber }: any) => {
  const line = { what: "write", dag: dagId, run: runId, task: taskId, mapIndex, tryNumber, tryId: id };
  const text = "const line = " + JSON.stringify(line) + "; setInterval(() => require('node:fs').appendFileSync(" + JSON.stringify(${JSON.stringify(trace)}) +
    ", JSON.stringify({ ...line, pid: process.pid, wallMs: Date.now(), monotonicMs: Number(process.hrtime.bigint()) / 1e6 }) + '\\\\n'), 10)";
  spawn(process.execPath, ["-e", text], { detached: true, stdio: "ignore" }).unref();
};

const noteCallback = async ({ run }: any) =>
  appendFileSync(${JSON.stringify(callbackTraceOf(trace))}, JSON.stringify({ run: run.dagId + "/" + run.runId }) + "\\n");

for (const { dagId, callbacks, tasks, ...dagOptions } of dags as any[])
  dag({ dagId, ...dagOptions, ...(callbacks ? { onSuccess: noteCallback, onFailure: noteCallback } : {}), isPausedUponCreation: false }, () => {
    const nodes = new Map<string, any>();
    for (const { taskId, upstream, failTries, durationMs, deferMs, deafTries = 0, leaves, ...options } of tasks) {
      const node = task({ taskId, retryDelay: { seconds: 0.1 }, ...options }, async (ctx) => {
        if (deferMs && ctx.resumed === null) defer({ trigger: new TimeDeltaTrigger({ delta: { seconds: deferMs / 1_000 } }) });
        note("start", ctx.ti);
        ctx.logger.info(ctx.ti.id + " begins");
        if (leaves === "timer") setInterval(() => note("write", ctx.ti), 10);
        if (leaves === "process") writeElsewhere(ctx.ti);
        await new Promise((resolve) => setTimeout(resolve, durationMs));
        const until = Date.now() + (ctx.ti.tryNumber <= deafTries ? 60_000 : 0);
        while (Date.now() < until) {
          note("write", ctx.ti);
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
        if (ctx.ti.tryNumber <= failTries) {
          note("fail", ctx.ti);
          throw new Error("on purpose");
        }
        ctx.logger.info(ctx.ti.id + " ends");
        note("end", ctx.ti);
        return { tryId: ctx.ti.id, tryNumber: ctx.ti.tryNumber };
      })();
      for (const above of upstream) nodes.get(above).before(node);
      nodes.set(taskId, node);
    }
  });
`;
}
