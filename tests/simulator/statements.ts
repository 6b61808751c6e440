/**
 * The effect of each statement of the scheduler on the tables in memory, by the statement's name: the same guards, locks and
 * results as the SQL in src/store/queries. A statement that is missing here ends the history with its name.
 */
import type { TaskInstanceState } from "../../src/contracts/index.ts";
import type { Candidate } from "../../src/store/index.ts";
import type { MemoryTx } from "./memory-database.ts";
import { ACTIVE, type EventRow, type InstanceRow, instanceKey, type RunRow } from "./rows.ts";

export type Surroundings = {
  now(): number;
  maxActiveRuns: number;
  maxActiveTasks: number;
  /** -1 = no limit. */
  pools: ReadonlyMap<string, number>;
  /** Harm that is caused on purpose, to test that it is found. */
  harm: Harm;
  /** The implementation of each statement, by its name. */
  statements: Readonly<Record<string, StatementBody>>;
};

/**
 * `no-fence`: a try's end is written by task instead of by its id. `lost-event`: some ends write no row to the outbox.
 * `no-dispatch-lock`: two schedulers may count and queue at the same time. `stale-picture`: schedulers continue with pictures
 * that another's evaluation has made stale.
 */
export type Harm = "none" | "no-fence" | "lost-event" | "no-dispatch-lock" | "stale-picture";

type Row = Record<string, unknown>;
type State = TaskInstanceState | null;
export type StatementBody = (tx: MemoryTx, values: readonly unknown[], env: Surroundings) => Row[];

const list = <T>(value: unknown) => value as readonly T[];

export const STATEMENTS: Readonly<Record<string, StatementBody>> = {
  "release-callbacks": () => [],
  "queue-callbacks": () => [],
  "recover-callbacks": () => [],
  "log-event": () => [],
  "signs-of-life": () => [{ serverUpSec: 1e9, apiServers: 0, apiUpSec: null, hosts: 1, heardSecAgo: 0 }],
  "find-skip-decisions": () => [],

  "lock-dags-with-queued-runs"(tx, _values, env) {
    const runs = tx.all("run");
    const dags = [...new Set(runs.map((run) => run.dagId))].filter(
      (dagId) =>
        runs.some((run) => run.dagId === dagId && run.state === "queued" && run.runAfter.getTime() <= env.now()) &&
        runs.filter((run) => run.dagId === dagId && run.state === "running").length < env.maxActiveRuns,
    );
    return dags.filter((dagId) => tx.tryLock(`dag:${dagId}`)).map((dagId) => ({ dagId }));
  },
  "start-queued-runs"(tx, [dagIds], env) {
    const started: Row[] = [];
    for (const dagId of list<string>(dagIds)) {
      const runs = tx.all("run").filter((run) => run.dagId === dagId);
      const room = env.maxActiveRuns - runs.filter((run) => run.state === "running").length;
      const queued = runs
        .filter((run) => run.state === "queued")
        .sort((a, b) => a.runAfter.getTime() - b.runAfter.getTime() || a.id - b.id);
      for (const run of queued.slice(0, Math.max(0, room))) {
        tx.put("run", run.id, { ...run, state: "running", nextScanAt: env.now() });
        started.push({ dagId, delaySec: null });
      }
    }
    return started;
  },

  "claim-runs"(tx, [limit], env) {
    const events = tx.all("event");
    const due = dueInstances(tx, env);
    const isWanted = (run: RunRow) =>
      events.some((event) => event.dagRunId === run.id) ||
      (run.state === "running" && due.some((one) => one.dagRunId === run.id)) ||
      (run.state === "running" && run.nextScanAt !== null && run.nextScanAt <= env.now());
    const byAge = (a: RunRow, b: RunRow) => (a.decidedAt ?? 0) - (b.decidedAt ?? 0) || a.id - b.id;
    const turns = new Map<string, number>();
    const wanted = tx
      .all("run")
      .filter(isWanted)
      .sort(byAge)
      .map((run) => {
        const turn = (turns.get(run.dagId) ?? 0) + 1;
        turns.set(run.dagId, turn);
        return { run, turn };
      })
      .sort((a, b) => a.turn - b.turn || byAge(a.run, b.run));
    const locked: RunRow[] = [];
    for (const { run } of wanted) {
      if (locked.length < Number(limit) && tx.tryLock(`run:${run.id}`)) locked.push(run);
    }
    return locked.map((run) => {
      const own = events.filter((event) => event.dagRunId === run.id).sort((a, b) => a.id - b.id);
      for (const event of own) tx.put("event", event.id, null);
      const ownDue = due.filter((one) => one.dagRunId === run.id);
      return {
        id: run.id,
        dagId: run.dagId,
        runId: run.runId,
        state: run.state,
        versionId: run.versionId,
        evaluation: run.evaluation,
        logicalDate: run.logicalDate,
        backfillId: null,
        isTimedOut: false,
        timeoutSec: null,
        note: null,
        clearNumber: run.clearNumber,
        endsAs: null,
        events: own.length > 0 ? own.map(({ taskId, mapIndex, state }) => ({ taskId, mapIndex, state })) : null,
        due: ownDue.length > 0 ? ownDue.map(({ taskId, mapIndex, state }) => ({ taskId, mapIndex, state })) : null,
      };
    });
  },
  "find-picture-rows": (tx, [runId]) =>
    tx
      .all("instance")
      .filter((one) => one.dagRunId === runId)
      .map(({ taskId, mapIndex, state }) => ({ taskId, mapIndex, state })),
  "previous-run-states"(tx, [runId, names]) {
    const run = tx.find("run", Number(runId));
    const [previous] = tx
      .all("run")
      .filter((one) => run && one.dagId === run.dagId && one.logicalDate < run.logicalDate)
      .sort((a, b) => b.logicalDate.getTime() - a.logicalDate.getTime());
    if (!previous) return [];
    return list<string>(names).map((taskId) => {
      const own = tx.all("instance").filter((one) => one.dagRunId === previous.id && one.taskId === taskId);
      const passed = own.every(({ state }) => state === "success" || state === "skipped");
      return { taskId, passed: own.length === 0 ? null : passed, hasPast: own.length > 0 };
    });
  },
  "wake-later-runs"(tx, [dagId, date]) {
    const [later] = tx
      .all("run")
      .filter((run) => run.dagId === dagId && run.logicalDate > (date as Date) && run.state === "running")
      .sort((a, b) => a.logicalDate.getTime() - b.logicalDate.getTime());
    if (!later || tx.all("event").some((event) => event.dagRunId === later.id && event.taskId === null)) return [];
    addEvent(tx, { dagRunId: later.id, taskId: null, mapIndex: -1, state: null });
    return [];
  },
  "give-place"(tx, [runId, catchup], env) {
    const waiting = tx.find("run", Number(runId));
    if (waiting?.state !== "running" || catchup) return [];
    const runs = tx.all("run").filter((run) => run.dagId === waiting.dagId);
    if (runs.filter((run) => run.state === "running").length < env.maxActiveRuns) return [];
    const [earliest] = runs
      .filter((run) => run.state === "queued" && run.logicalDate < waiting.logicalDate && run.runAfter.getTime() <= env.now())
      .sort((a, b) => a.logicalDate.getTime() - b.logicalDate.getTime());
    if (!earliest || !tx.tryLock(`run:${earliest.id}`)) return [];
    tx.put("run", earliest.id, { ...earliest, state: "running", nextScanAt: env.now() });
    tx.put("run", waiting.id, { ...waiting, state: "queued", nextScanAt: null, evaluation: waiting.evaluation + 1 });
    return [{ runId: earliest.runId }];
  },
  "forget-results": () => [],
  "apply-changes"(tx, [runIds, taskIds, mapIndexes, from, to], env) {
    return list<number>(runIds).flatMap((dagRunId, index) => {
      const key = { dagRunId, taskId: list<string>(taskIds)[index] ?? "", mapIndex: list<number>(mapIndexes)[index] ?? -1 };
      const row = tx.find("instance", instanceKey(key));
      if (!row) return [];
      tx.lock(`instance:${instanceKey(row)}`);
      const leaves = list<State>(from)[index] ?? null;
      if (row.state !== leaves) return [];
      const state = list<State>(to)[index] ?? null;
      const isNewTry = (state === "scheduled" || state === "success") && leaves !== "up_for_reschedule";
      write(tx, {
        ...row,
        state,
        tryNumber: row.tryNumber + (isNewTry ? 1 : 0),
        scheduledAt: state === "scheduled" ? env.now() : row.scheduledAt,
        nextAttemptAt: null,
        queueAttempts: 0,
      });
      return [{}];
    });
  },
  "record-evaluations"(tx, [ids, states, rescans, scanSec], env) {
    return list<number>(ids).flatMap((id, index) => {
      const run = tx.find("run", id);
      if (!run) return [];
      const state = list<RunRow["state"] | null>(states)[index] ?? run.state;
      const isRescan = list<boolean>(rescans)[index];
      const sec = isRescan ? Math.min(Number(scanSec), 5) : Number(scanSec);
      const hasEnded = state === "success" || state === "failed";
      const scanInMs = (run.nextScanAt ?? 0) - env.now();
      const stays = !isRescan && scanInMs >= Number(scanSec) * 500 && scanInMs <= Number(scanSec) * 1_000;
      tx.put("run", id, {
        ...run,
        state,
        evaluation: run.evaluation + 1,
        decidedAt: env.now(),
        nextScanAt: hasEnded ? null : stays ? run.nextScanAt : env.now() + sec * 1_000,
      });
      return [{}];
    });
  },

  "dispatch-lock": (tx, _values, env) => [{ got: env.harm === "no-dispatch-lock" || tx.tryLock("dispatch") }],
  "hold-dispatch-lock"(tx) {
    tx.lock("dispatch");
    return [];
  },
  "still-queued": (tx, [ids]) =>
    byIds(tx, ids)
      .filter((one) => one.state === "queued")
      .map(queuedFacts),
  "select-candidates": (tx, [executors, limit, heldBack, jobId], env) =>
    selectCandidates(tx, list<string>(executors), Number(limit), list<string>(heldBack), Number(jobId), env),
  "queue-instances"(tx, [ids, jobId], env) {
    const rows = byIds(tx, ids).filter((one) => one.state === "scheduled");
    return rows.map((row) => {
      const queued: InstanceRow = { ...row, state: "queued", queuedAt: env.now(), queuedBy: Number(jobId) };
      write(tx, queued);
      return queuedFacts(queued);
    });
  },

  "start-tries": startTries,
  "beat-tries": (tx, [ids], env) =>
    byIds(tx, ids)
      .filter((one) => one.state === "running")
      .map((row) => {
        write(tx, { ...row, heartbeatAt: env.now() });
        return { id: row.id };
      }),
  "tries-by-ids": (tx, [ids], env) => found(tx, ids).map((row) => tryFacts(row, env)),
  "finish-tries": (tx, values, env) => finishTries(tx, values, env),
  "finish-tries-going-on": (tx, values, env) => finishTries(tx, values, env),

  "silent-tries": (tx, [sec], env) =>
    tx
      .all("instance")
      .filter((one) => one.state === "running" && (one.heartbeatAt ?? 0) < env.now() - Number(sec) * 1_000)
      .map((row) => tryFacts(row, env)),
  "stuck-tries": (tx, [sec], env) =>
    tx
      .all("instance")
      .filter((one) => one.state === "queued" && (one.queuedAt ?? 0) < env.now() - Number(sec) * 1_000)
      .map((row) => tryFacts(row, env)),
  "requeue-tries"(tx, [ids]) {
    const rows = byIds(tx, ids).filter((one) => one.state === "queued");
    for (const row of rows)
      write(tx, {
        ...row,
        id: nextId(tx, row),
        state: "scheduled",
        queuedBy: null,
        queuedAt: null,
        queueAttempts: row.queueAttempts + 1,
      });
    return [{ count: rows.length, told: 0 }];
  },
  "orphaned-tries": (tx, [ids]) =>
    tx
      .all("instance")
      .filter((one) => ids === null || (ids as string[]).includes(one.id))
      .filter((one) => ACTIVE.includes(one.state) && tx.find("job", one.queuedBy ?? -1)?.state !== "running")
      .filter((one) => tx.tryLock(`instance:${instanceKey(one)}`))
      .map(({ id, state }) => ({ id, state, executor: "LocalExecutor", externalExecutorId: null })),
  "adopt-tries"(tx, [ids, jobId]) {
    for (const row of byIds(tx, ids)) write(tx, { ...row, queuedBy: Number(jobId) });
    return [];
  },
  "record-launches": () => [],
  "bury-jobs"(tx, [_type, sec], env) {
    const silent = tx.all("job").filter((job) => job.state === "running" && job.heartbeatAt < env.now() - Number(sec) * 1_000);
    for (const job of silent) tx.put("job", job.id, { ...job, state: "failed" });
    return silent.map(() => ({}));
  },
  "beat-job"(tx, [id], env) {
    const job = tx.find("job", Number(id));
    if (job?.state !== "running") return [];
    tx.put("job", job.id, { ...job, heartbeatAt: env.now() });
    return [{}];
  },

  "lock-run"(tx, [dagId, runId]) {
    const run = tx.all("run").find((one) => one.dagId === dagId && one.runId === runId);
    if (!run) return [];
    tx.lock(`run:${run.id}`);
    return [{ ...run }];
  },
  "clear-instances"(tx, [dagRunId, taskIds]) {
    const rows = tx.all("instance").filter((one) => one.dagRunId === dagRunId && list<string>(taskIds).includes(one.taskId));
    for (const row of rows)
      write(tx, {
        ...row,
        id: nextId(tx, row),
        state: null,
        maxTries: row.tryNumber + row.retries,
        nextAttemptAt: null,
        scheduledAt: null,
        queuedAt: null,
        queuedBy: null,
        heartbeatAt: null,
        queueAttempts: 0,
        rescheduleCount: 0,
        startedBy: null,
      });
    return rows.map(({ taskId, mapIndex, state }) => ({ taskId, mapIndex, previousState: state }));
  },
  "restart-run"(tx, [dagRunId, requeue], env) {
    const run = tx.find("run", Number(dagRunId));
    if (!run) return [];
    tx.put("run", run.id, {
      ...run,
      state: requeue ? "queued" : run.state,
      nextScanAt: env.now(),
      clearNumber: run.clearNumber + 1,
      evaluation: run.evaluation + 1,
    });
    addEvent(tx, { dagRunId: run.id, taskId: null, mapIndex: -1, state: null });
    return [];
  },
};

function startTries(tx: MemoryTx, values: readonly unknown[], env: Surroundings): Row[] {
  const [ids, hosts, _users, pids] = values;
  return list<string>(ids).flatMap((id, index) => {
    const by = `${list<string>(hosts)[index]}/${list<number>(pids)[index]}`;
    const [row] = byIds(tx, [id]);
    if (!row || !(row.state === "queued" || (row.state === "running" && row.startedBy === by))) return [];
    write(tx, { ...row, state: "running", startedBy: by, heartbeatAt: env.now() });
    return [{ id, tryNumber: row.tryNumber }];
  });
}

function finishTries(tx: MemoryTx, values: readonly unknown[], env: Surroundings): Row[] {
  const [ids, states, delays] = values;
  const leaving = list<State>(values[5]);
  const silentForSec = values[6] as number | null;
  return list<string>(ids).flatMap((id, index) => {
    const [row] = env.harm === "no-fence" ? byIdOrTask(tx, id) : byIds(tx, [id]);
    if (!row || !leaving.includes(row.state)) return [];
    const heardAt = row.heartbeatAt ?? row.queuedAt ?? 0;
    if (silentForSec !== null && heardAt >= env.now() - silentForSec * 1_000) return [];
    const state = list<State>(states)[index] ?? null;
    const delaySec = list<number | null>(delays)[index] ?? null;
    const goesOn = state === "up_for_retry" || state === "up_for_reschedule";
    write(tx, {
      ...row,
      id: goesOn ? nextId(tx, row) : row.id,
      state,
      // Rounded, since the delay was computed with the real clock.
      nextAttemptAt: delaySec === null ? null : env.now() + Math.round(delaySec) * 1_000,
      rescheduleCount: state === "up_for_reschedule" ? row.rescheduleCount + 1 : 0,
    });
    const { dagRunId, dagId, runId, taskId, mapIndex, tryNumber } = row;
    if (env.harm !== "lost-event" || tx.nextNumber() % 4 > 0) addEvent(tx, { dagRunId, taskId, mapIndex, state });
    const now = new Date(env.now());
    return [
      { id: row.id, dagRunId, dagId, runId, taskId, mapIndex, tryNumber, state, operator: "task", startDate: now, endDate: now },
    ];
  });
}

function selectCandidates(
  tx: MemoryTx,
  executors: readonly string[],
  limit: number,
  heldBack: readonly string[],
  jobId: number,
  env: Surroundings,
): Row[] {
  const all = tx.all("instance");
  const active = all.filter((one) => ACTIVE.includes(one.state));
  const poolFree = (pool: string) => {
    const slots = env.pools.get(pool) ?? 0;
    const taken = active.filter((one) => one.pool === pool).reduce((sum, one) => sum + one.poolSlots, 0);
    return slots === -1 ? 1_000_000 : slots - taken;
  };
  const before = (a: InstanceRow, b: InstanceRow) =>
    b.priorityWeight - a.priorityWeight || (a.scheduledAt ?? 0) - (b.scheduledAt ?? 0) || compare(a.taskId, b.taskId);
  const count = (test: (one: InstanceRow) => boolean) => active.filter(test).length;
  type Place = { row: InstanceRow; run: RunRow; free: number };
  const byRank = (a: Place, b: Place) =>
    b.row.priorityWeight - a.row.priorityWeight ||
    a.run.runAfter.getTime() - b.run.runAfter.getTime() ||
    before(a.row, b.row) ||
    a.run.id - b.run.id;
  const scheduled: Place[] = tx
    .all("run")
    .filter((run) => run.state === "running" && executors.includes("LocalExecutor"))
    .flatMap((run) => {
      const free = env.maxActiveTasks - count((one) => one.dagRunId === run.id);
      return all
        .filter((one) => one.dagRunId === run.id && one.state === "scheduled" && !heldBack.includes(one.id))
        .filter((one) => env.pools.has(one.pool))
        .map((row) => ({ row, run, free }));
    });
  const firstInLine = new Map<string, Place>();
  for (const one of [...scheduled].sort((a, b) => before(a.row, b.row) || a.run.id - b.run.id)) {
    const { pool, poolSlots, dagId, taskId, dagRunId, maxActiveTisPerDag, maxActiveTisPerDagrun } = one.row;
    const slots = env.pools.get(pool) ?? 0;
    const isHeld =
      (maxActiveTisPerDag ?? 1e9) <= count((other) => other.dagId === dagId && other.taskId === taskId) ||
      (maxActiveTisPerDagrun ?? 1e9) <= count((other) => other.dagRunId === dagRunId && other.taskId === taskId);
    if (firstInLine.has(pool) || isHeld || one.free <= 0 || poolFree(pool) <= 0) continue;
    if (poolSlots > poolFree(pool) && poolSlots <= slots) firstInLine.set(pool, one);
  }
  const mayGo = (one: Place) => {
    const first = firstInLine.get(one.row.pool);
    return one.row.poolSlots <= poolFree(one.row.pool) && (first === undefined || byRank(one, first) < 0);
  };
  const offered = tx
    .all("run")
    .flatMap((run) => {
      const own = scheduled.filter((one) => one.run.id === run.id && mayGo(one)).sort((a, b) => before(a.row, b.row));
      return own.slice(0, Math.min(Math.max(own[0]?.free ?? 0, 0), limit));
    })
    .sort(byRank);
  const places = new Map<string, number>();
  const inPlace = offered.filter(({ row }) => {
    const place = (places.get(row.pool) ?? 0) + 1;
    places.set(row.pool, place);
    return place <= poolFree(row.pool);
  });
  return [...inPlace.slice(0, limit), ...firstInLine.values()].sort(byRank).map(({ row, run, free }): Candidate => {
    const { id, dagRunId, dagId, taskId, pool, poolSlots, maxActiveTisPerDag, maxActiveTisPerDagrun } = row;
    return {
      id,
      dagRunId,
      dagId,
      taskId,
      versionId: run.versionId,
      pool,
      poolSlots,
      poolFree: poolFree(pool),
      runFree: free,
      executor: "LocalExecutor",
      maxActiveTisPerDag,
      maxActiveTisPerDagrun,
      activeOfTask: count((one) => one.dagId === dagId && one.taskId === taskId),
      activeOfTaskInRun: count((one) => one.dagRunId === dagRunId && one.taskId === taskId),
      activeOfJob: count((one) => one.queuedBy === jobId),
    };
  });
}

function found(tx: MemoryTx, ids: unknown): InstanceRow[] {
  return tx.all("instance").filter((one) => list<string>(ids).includes(one.id));
}

/** Locked, as rows that a statement then writes. */
function byIds(tx: MemoryTx, ids: unknown): InstanceRow[] {
  const rows = found(tx, ids);
  for (const row of rows) tx.lock(`instance:${instanceKey(row)}`);
  return rows;
}

/** Without the fence: every id that an instance ever had finds it. */
function byIdOrTask(tx: MemoryTx, id: string): InstanceRow[] {
  const rows = tx.all("instance").filter((one) => one.id.slice(0, 18) === id.slice(0, 18));
  for (const row of rows) tx.lock(`instance:${instanceKey(row)}`);
  return rows;
}

function write(tx: MemoryTx, row: InstanceRow): void {
  tx.put("instance", instanceKey(row), row);
}

function addEvent(tx: MemoryTx, event: Omit<EventRow, "id">): void {
  const id = tx.nextNumber();
  tx.put("event", id, { id, ...event });
}

function dueInstances(tx: MemoryTx, env: Surroundings): InstanceRow[] {
  return tx
    .all("instance")
    .filter(
      (one) =>
        (one.state === "up_for_retry" || one.state === "up_for_reschedule") && (one.nextAttemptAt ?? Infinity) <= env.now(),
    );
}

function nextId(tx: MemoryTx, row: InstanceRow): string {
  return `${row.id.slice(0, 24)}${hex(tx.nextNumber(), 12)}`;
}

/** A try's id in the form that the fence and the retry's jitter need; the same for the same history. */
export function idOf(instance: number, attempt: number): string {
  return `${hex(instance, 8)}-0000-0000-0000-${hex(attempt, 12)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function queuedFacts(row: InstanceRow): Row {
  const { id, dagId, runId, taskId, mapIndex, tryNumber, poolSlots, priorityWeight } = row;
  return {
    id,
    dagId,
    runId,
    taskId,
    mapIndex,
    tryNumber,
    poolSlots,
    priorityWeight,
    queue: "default",
    executor: "LocalExecutor",
    versionId: "v",
    moduleHash: "h",
  };
}

function tryFacts(row: InstanceRow, env: Surroundings): Row {
  const { id, dagRunId, dagId, runId, taskId, mapIndex, state, tryNumber, maxTries, queueAttempts } = row;
  const silentForSec = (env.now() - (row.heartbeatAt ?? row.queuedAt ?? env.now())) / 1_000;
  const facts = { id, dagRunId, dagId, runId, taskId, mapIndex, state, tryNumber, maxTries, queueAttempts, silentForSec };
  return { ...facts, versionId: "v", moduleHash: "h", executor: "LocalExecutor", hostname: row.startedBy, pid: 1 };
}
