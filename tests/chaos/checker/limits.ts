/** I5 and I13: limits at every instant, and the observations of the database server. */
import { ACTIVE, type Expectation, type History } from "./history.ts";

/**
 * I5: whenever an instance enters an active state, its pool, its run, its task and its scheduler have room at that instant, and
 * at the end nothing holds a slot. A count may exceed a limit that was lowered, or after an adoption, but it must not grow then.
 */
export function checkLimits(history: History, expect: Pick<Expectation, "dags" | "parallelism">): string[] {
  const faults: string[] = [];
  const dags = new Map(
    expect.dags.map((dag) => [dag.dagId, { ...dag, byTask: new Map(dag.tasks.map((task) => [task.taskId, task])) }]),
  );
  const pools = new Map<string, { slots: number; includeDeferred: boolean }>();
  const used = {
    pool: createCounter(),
    run: createCounter(),
    task: createCounter(),
    taskInRun: createCounter(),
    job: createCounter(),
  };
  const held = new Map<string, () => void>();
  const runsOf = createCounter();
  const timeline = [
    ...history.transitions.map((one) => ({ kind: "instance" as const, seq: one.seq, one })),
    ...history.runTransitions.map((one) => ({ kind: "run" as const, seq: one.seq, one })),
    ...history.poolChanges.map((one) => ({ kind: "pool" as const, seq: one.seq, one })),
  ].sort((a, b) => a.seq - b.seq);
  for (const entry of timeline) {
    if (entry.kind === "pool") {
      pools.set(entry.one.pool, entry.one);
      continue;
    }
    if (entry.kind === "run") {
      const { run, dagId, from, to } = entry.one;
      if (from === "running") runsOf.add(dagId, -1);
      if (to !== "running") continue;
      const limit = dags.get(dagId)?.maxActiveRuns;
      const count = runsOf.add(dagId, 1);
      if (limit !== undefined && count > limit)
        faults.push(`${run} is running run ${count} of ${dagId}; maxActiveRuns is ${limit}`);
      continue;
    }
    const { one } = entry;
    const pool = pools.get(one.pool);
    const isHeld = (state: string | null) =>
      ACTIVE.has(state ?? "") || (state === "deferred" && (pool?.includeDeferred ?? false));
    const wasHeld = held.has(one.instance);
    held.get(one.instance)?.();
    held.delete(one.instance);
    if (!isHeld(one.to)) continue;
    const dagId = one.run.split("/")[0] ?? "";
    const dag = dags.get(dagId);
    const task = dag?.byTask.get(one.taskId);
    const counts = [
      {
        name: `pool ${one.pool}`,
        counter: used.pool,
        key: one.pool,
        by: one.poolSlots,
        limit: pool && pool.slots >= 0 ? pool.slots : null,
      },
      { name: `maxActiveTasks of ${one.run}`, counter: used.run, key: one.run, by: 1, limit: dag?.maxActiveTasks ?? null },
      {
        name: `maxActiveTisPerDag of ${one.taskId}`,
        counter: used.task,
        key: `${dagId}/${one.taskId}`,
        by: 1,
        limit: task?.maxActiveTisPerDag ?? null,
      },
      {
        name: `maxActiveTisPerDagrun of ${one.taskId}`,
        counter: used.taskInRun,
        key: `${one.run}/${one.taskId}`,
        by: 1,
        limit: task?.maxActiveTisPerDagrun ?? null,
      },
      { name: `parallelism of job ${one.jobId}`, counter: used.job, key: String(one.jobId), by: 1, limit: expect.parallelism },
    ];
    for (const { name, counter, key, by, limit } of counts) {
      const count = counter.add(key, by);
      if (!wasHeld && limit !== null && count > limit)
        faults.push(`${one.instance} took ${name} to ${count} of ${limit} (${one.seq})`);
    }
    held.set(one.instance, () => {
      for (const { counter, key, by } of counts) counter.add(key, -by);
    });
  }
  for (const instance of held.keys()) faults.push(`${instance} still holds its slots at the end`);
  return faults;
}

function createCounter() {
  const counts = new Map<string, number>();
  return {
    add(key: string, by: number): number {
      const count = (counts.get(key) ?? 0) + by;
      counts.set(key, count);
      return count;
    },
  };
}

/** The server ends sessions that are idle in a transaction for 5 s, plus a second for the sampling interval. */
const IDLE_IN_TRANSACTION_SEC = 6;

/** I13: no transaction was left idle, connections stayed within their limit, and the server logged no deadlock. */
export function checkServer(history: History, { maxConnections }: Pick<Expectation, "maxConnections">): string[] {
  const faults: string[] = [];
  const idle = Math.max(0, ...history.samples.map((sample) => sample.idleInTransactionSec));
  if (idle > IDLE_IN_TRANSACTION_SEC) faults.push(`a transaction stood idle for ${idle.toFixed(1)} s`);
  const most = Math.max(0, ...history.samples.map((sample) => sample.connections));
  if (most > maxConnections) faults.push(`${most} connections were held; the budget is ${maxConnections}`);
  const deadlocks = history.serverLog.split("\n").filter((line) => line.includes("deadlock detected"));
  if (deadlocks.length > 0) {
    const at = history.serverLog.indexOf(deadlocks[0] ?? "");
    faults.push(`${deadlocks.length} deadlocks stand in the server's log: ${history.serverLog.slice(at, at + 1_500)}`);
  }
  return faults;
}
