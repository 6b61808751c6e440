/**
 * Plays a scenario on real schedulers and a real database, step by step. Two schedulers take turns, so each finds evaluations of
 * the other between its own. After each pass the limits are checked; whenever both schedulers have nothing to do, all states are
 * compared with the model.
 */
import { isTerminal, type Outcome } from "../../src/contracts/index.ts";
import { clearRuns, createDagCache, finishByOutcome } from "../../src/scheduler/index.ts";
import { ensurePool, type Store, startTries } from "../../src/store/index.ts";
import { saveDagFixture, serializedDag } from "../support/dag-fixture.ts";
import { FAILURE, SUCCESS } from "../support/fake-executor.ts";
import { type Rig, trigger } from "../support/scheduler-rig.ts";
import { findDifferences, isHeldByPast, noteDecisions, noteDecisionsMade } from "./expect-states.ts";
import { brokenLimits, brokenRunLimits, type Limits, mayStart, type Placed, waitsForSlots, weightOf } from "./limits.ts";
import { createDice, type Dice, dagFieldsOf, fateOf, type Scenario } from "./random-dag.ts";
import { createRunOf, descendantsOf, keyOf, type ModelOutcome, type ModelRun, type ModelWorld, type Seen } from "./world.ts";

type Row = Placed & { tryNumber: number; runState: "queued" | "running" | "success" | "failed"; runAfter: Date };
type Look = { rows: Row[]; seen: Seen };

export type Driven = { steps: number; passes: number; outcomes: number };

const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(2024, 0, 1);

/** Throws with the history in the message if a state differs from the model. */
export async function driveScenario(
  store: Store,
  rigs: readonly [Rig, ...Rig[]],
  dagId: string,
  scenario: Scenario,
  /** Called before each settling: causes harm that must be found. */
  tamper: () => Promise<unknown> = async () => {},
): Promise<Driven> {
  const dice = createDice(scenario.fate);
  const history: string[] = [];
  const world = await prepare(store, dagId, scenario);
  const dags = world.dags;
  const limits: Limits = {
    dags,
    pools: new Map([
      [`${dagId}_a`, scenario.pools[0]],
      [`${dagId}_b`, scenario.pools[1]],
    ]),
    parallelism: scenario.parallelism,
  };
  const driven: Driven = { steps: 0, passes: 0, outcomes: 0 };
  let clears = scenario.clears;
  let before: Look = { rows: [], seen: { runs: [], instances: [] } };

  const fail = (what: string, lines: readonly string[]) => {
    if (lines.length > 0) throw new Error(`${what}:\n  ${lines.join("\n  ")}\nafter:\n  ${history.join("\n  ")}`);
  };

  for (;;) {
    await tamper();
    const look = await settle();
    driven.steps++;
    fail("the schedulers differ from the model", findDifferences(world, look.seen));
    // With few free slots, each run offers few candidates; blocked ones may then hide one behind them for a moment.
    if (Math.min(scenario.executorSlots, scenario.parallelism) > world.instances.length)
      fail("the order was not kept", overtaken(before, look, limits));
    fail("something may start and was left", leftBehind(look));
    fail("a run waits behind those that wait for it", heldBackByLaterRuns(world, look.rows));
    noteDecisions(world, look.seen);
    before = look;
    if (!(await happen(look))) return driven;
  }

  /** Passes of either scheduler in random order, until both have nothing left to do. */
  async function settle(): Promise<Look> {
    const idle = new Set<Rig>();
    while (idle.size < rigs.length) {
      const rig = dice.pick(rigs);
      const { more, busy } = await rig.pass();
      driven.passes++;
      if (more || busy) idle.clear();
      else idle.add(rig);
      const { rows, seen } = await lookAt(store, dagId);
      fail("a limit was passed", [...brokenLimits(rows, limits), ...brokenRunLimits(seen.runs, dags)]);
      for (const one of rigs) if (one.executor.slotsAvailable() < 0) fail("executor", ["took more than it has slots"]);
    }
    return lookAt(store, dagId);
  }

  /** The next event; false = no further event is possible. */
  async function happen(look: Look): Promise<boolean> {
    const active = look.rows.filter((row) => row.state === "queued");
    const waiting = look.rows.filter((row) => row.state === "up_for_retry" || row.state === "up_for_reschedule");
    if (active.length > 0 && (waiting.length === 0 || dice.chance(75))) {
      const [first, ...others] = dice.shuffle(active);
      const ending = [...(first ? [first] : []), ...others.filter(() => dice.chance(40))];
      await endAll(ending);
    } else if (waiting.length > 0) {
      const [first, ...others] = dice.shuffle(waiting);
      for (const row of [...(first ? [first] : []), ...others.filter(() => dice.chance(50))]) {
        history.push(`the time of ${keyOf(row)} has come`);
        await store.query("update task_instance set next_attempt_at = now() where id = $1 and state = $2", [row.id, row.state]);
        instanceOf(row).isDue = true;
      }
    } else if (clears === 0) return false;
    if (clears > 0 && (dice.chance(10) || (active.length === 0 && waiting.length === 0))) {
      clears--;
      await clear(dice);
    }
    return true;
  }

  async function endAll(rows: readonly Row[]): Promise<void> {
    const started = dice.chance(50) ? rows : rows.filter(() => dice.chance(50));
    await startTries(
      store,
      started.map(({ id }) => ({ id, hostname: "host", unixname: "user", pid: 1 })),
    );
    const ends: { id: string; outcome: Outcome }[] = [];
    for (const row of rows) {
      const instance = instanceOf(row);
      const outcome = fateOf(
        scenario.fate,
        `${row.taskId}/${row.mapIndex}/${row.runId}`,
        instance.outcomes.length + 31 * instance.triesBefore,
      );
      if (outcome === "lost" && !started.includes(row)) {
        // No worker has taken it: the try is taken back and does not count.
        history.push(`nobody took ${keyOf(row)}`);
        for (const rig of rigs)
          if (rig.executor.inHand.has(row.id)) rig.executor.emit({ kind: "not_started", id: row.id, reason: "gone" });
        free(row.id);
        continue;
      }
      driven.outcomes++;
      history.push(`${keyOf(row)} try ${row.tryNumber}: ${outcome}`);
      instance.outcomes.push(outcome);
      instance.isDue =
        outcome === "rescheduled" || (!scenario.tasks[Number(row.taskId.slice(1))]?.waits && outcome !== "success");
      if (outcome === "rescheduled") instance.isDue = false;
      if (outcome === "lost") {
        for (const rig of rigs)
          if (rig.executor.inHand.has(row.id)) rig.executor.emit({ kind: "lost", id: row.id, reason: "gone" });
      } else ends.push({ id: row.id, outcome: outcomeOf(outcome) });
      free(row.id);
    }
    // At the same time, or one after the other with passes in between.
    const guard = { leaving: ["queued", "running"] as const, silentForSec: null };
    if (dice.chance(50)) await finishByOutcome(store, createDagCache(), ends, guard);
    else
      for (const end of dice.shuffle(ends)) {
        await finishByOutcome(store, createDagCache(), [end], guard);
        if (dice.chance(50)) await dice.pick(rigs).pass();
      }
  }

  function free(id: string): void {
    for (const rig of rigs) rig.executor.inHand.delete(id);
  }

  async function clear(by: Dice): Promise<void> {
    const run = by.shuffle(world.runs)[0];
    const dag = dags.get(dagId);
    const task = dag && by.shuffle(dag.tasks)[0];
    if (!run || !task) return;
    history.push(`somebody clears ${run.runId}/${task.taskId} and what follows`);
    // A pass may have run since the last comparison. What it scheduled stays scheduled, although its upstream is cleared now.
    noteDecisionsMade(world, (await lookAt(store, dagId)).seen);
    const touched = await clearRuns(store, createDagCache(), {
      by: { user: "ada" },
      dagId,
      runs: { kind: "one", runId: run.runId, past: false, future: false },
      taskIds: [task.taskId],
      directions: { upstream: false, downstream: true },
      states: null,
      resetRuns: true,
      preventRunning: false,
      dryRun: false,
    });
    const cleared = new Set(touched.map((one) => one.taskId));
    for (const id of descendantsOf(dag, task.taskId)) if (!cleared.has(id)) fail("a clear left out", [id]);
    const { rows } = await lookAt(store, dagId);
    for (const instance of world.instances) {
      if (instance.runId !== run.runId || !cleared.has(instance.taskId)) continue;
      const row = rows.find((one) => keyOf(one) === keyOf(instance));
      instance.outcomes = [];
      instance.triesBefore = row?.tryNumber ?? 0;
      instance.maxTries = instance.triesBefore + (dag.tasks.find((one) => one.taskId === instance.taskId)?.retries ?? 0);
      instance.isDue = false;
      instance.decided = null;
    }
    // Tries in progress are fenced off; their workers notice it with the next heartbeat.
    for (const rig of rigs)
      for (const id of [...rig.executor.inHand]) if (!rows.some((row) => row.id === id)) rig.executor.inHand.delete(id);
  }

  function instanceOf(row: Row) {
    const instance = world.instances.find((one) => keyOf(one) === keyOf(row));
    if (!instance) throw new Error(`no instance ${keyOf(row)}`);
    return instance;
  }

  /**
   * When the schedulers have nothing to do, no instance with room may be left, as long as the schedulers and their executors have
   * slots.
   */
  function leftBehind({ rows }: Look): string[] {
    return rigs.flatMap((rig) => {
      if (rig.executor.slotsAvailable() <= 0) return [];
      const waiting = rows.filter((row) => row.state === "scheduled" && row.runState === "running");
      const inLine = waiting.filter((row) => waitsForSlots(row, rows, limits, rig.options.jobId()));
      return waiting
        .filter((row) => mayStart(row, rows, limits, rig.options.jobId()))
        .filter((row) => !inLine.some((one) => isKeptFrom(row, one)))
        .map((row) => keyOf(row));
    });
  }
}

/** Queued runs that can never start: a later run holds the place without progress, and has a task that waits for its past. */
function heldBackByLaterRuns(world: ModelWorld, rows: readonly Row[]): string[] {
  const { dags, runs } = world;
  const waits: readonly Row["state"][] = [null, "up_for_retry", "up_for_reschedule"];
  const runStates = new Map(rows.map((row) => [row.runId, row.runState]));
  const states = new Map(rows.map((row) => [keyOf(row), row.state]));
  const isIdle = (run: ModelRun) =>
    rows.filter((row) => row.runId === run.runId).every(({ state }) => waits.includes(state) || isTerminal(state));
  const waitsForPast = (run: ModelRun) => {
    const dag = dags.get(run.dagId);
    const undecided = rows.filter((row) => row.runId === run.runId && row.state === null).map((row) => row.taskId);
    const tasks = dag?.tasks.filter((task) => undecided.includes(task.taskId)) ?? [];
    return tasks.some((task) => dag && isHeldByPast(world, (one) => states.get(keyOf(one)) ?? null, run, dag, task));
  };
  const inDateOrder = [...runs].sort((a, b) => (a.logicalDate ?? 0) - (b.logicalDate ?? 0));
  return inDateOrder.flatMap(({ runId }, at) => {
    if (runStates.get(runId) !== "queued") return [];
    const later = inDateOrder
      .slice(at + 1)
      .filter((other) => runStates.get(other.runId) === "running" && isIdle(other) && waitsForPast(other));
    return later.map((other) => `${runId} is queued, and ${other.runId} is running with nothing to do`);
  });
}

/** In one pool, an instance that no other limit holds back starts before all instances behind it, however many slots it needs. */
function overtaken(before: Look, after: Look, limits: Limits): string[] {
  const { dags } = limits;
  const wasActive = new Set(before.rows.filter((row) => row.state === "queued" || row.state === "running").map((row) => row.id));
  const started = after.rows.filter((row) => row.state === "queued" && !wasActive.has(row.id));
  return after.rows.flatMap((left) => {
    const dag = dags.get(left.dagId);
    const task = dag?.tasks.find((one) => one.taskId === left.taskId);
    if (left.state !== "scheduled" || left.runState !== "running" || !task || !dag) return [];
    // It never fits, which is reported as a DAG warning.
    if (limits.pools.get(left.pool) !== -1 && left.poolSlots > (limits.pools.get(left.pool) ?? 0)) return [];
    // With a tight limit in its run, instances before it may rightly block it.
    if (task.maxActiveTisPerDag !== null || task.maxActiveTisPerDagrun !== null || dag.maxActiveTasks < 3 * dag.tasks.length)
      return [];
    // It may have become ready only after the others had started.
    if (!before.rows.some((row) => row.id === left.id && row.state === "scheduled")) return [];
    return started
      .filter((one) => one.pool === left.pool && isBefore(left, one))
      .map((one) => `${keyOf(one)} (priority ${one.priorityWeight}) started before ${keyOf(left)} (${left.priorityWeight})`);
  });
}

/**
 * An instance that waits for more slots reserves the free slots of its pool, and a place in its run and its task, against
 * instances of lower rank.
 */
function isKeptFrom(row: Row, inLine: Row): boolean {
  const isShared = row.pool === inLine.pool || row.runId === inLine.runId || row.taskId === inLine.taskId;
  return isShared && !isBefore(row, inLine);
}

function isBefore(a: Row, b: Row): boolean {
  if (a.priorityWeight !== b.priorityWeight) return a.priorityWeight > b.priorityWeight;
  return a.runAfter.getTime() < b.runAfter.getTime();
}

async function prepare(store: Store, dagId: string, scenario: Scenario): Promise<ModelWorld> {
  await ensurePool(store, `${dagId}_a`, scenario.pools[0], "");
  await ensurePool(store, `${dagId}_b`, scenario.pools[1], "");
  const fields = dagFieldsOf(scenario, dagId, 3_000);
  await saveDagFixture(store, fields);
  const dags = new Map([[dagId, serializedDag(fields)]]);
  const runs: ModelRun[] = [];
  for (let day = 0; day < scenario.runs; day++) {
    const logicalDate = FIRST_DAY + day * DAY_MS;
    const runId = await trigger(store, dagId, new Date(logicalDate));
    runs.push({ dagId, runId, logicalDate, runAfter: logicalDate });
  }
  const { rows } = await lookAt(store, dagId);
  for (const row of rows) {
    const dag = dags.get(dagId);
    if (dag && weightOf(dag, row.taskId) !== row.priorityWeight)
      throw new Error(`${row.taskId} weighs ${row.priorityWeight}; the model says ${weightOf(dag, row.taskId)}`);
  }
  return { dags, runs, instances: runs.flatMap((run) => createRunOf({ dags }, run)) };
}

async function lookAt(store: Store, dagId: string): Promise<Look> {
  const { rows } = await store.query<Row>(
    `select ti.id, ti.dag_id as "dagId", ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex", ti.state,
            ti.try_number as "tryNumber", ti.pool, ti.pool_slots as "poolSlots", ti.priority_weight as "priorityWeight",
            ti.queued_by_job_id as scheduler, r.state as "runState", r.run_after as "runAfter"
       from dag_run r join task_instance ti on ti.dag_run_id = r.id where r.dag_id = $1`,
    [dagId],
  );
  const runs = new Map(rows.map((row) => [row.runId, { dagId, runId: row.runId, state: row.runState }]));
  return { rows, seen: { instances: rows, runs: [...runs.values()] } };
}

function outcomeOf(outcome: ModelOutcome): Outcome {
  switch (outcome) {
    case "success":
      return SUCCESS;
    case "failed":
    case "lost":
      return FAILURE;
    case "fatal":
      return {
        ...FAILURE,
        state: "failed",
        retryable: false,
        error: { name: "FailError", message: "for good", stack: null },
        xcoms: [],
      };
    case "skipped":
      return { state: "skipped", reason: "on purpose", xcoms: [] };
    case "rescheduled":
      return { state: "up_for_reschedule", rescheduleDate: new Date(Date.now() + 3_600_000).toISOString() };
  }
}
