/**
 * One history: several schedulers; workers that die, pause and come back; people who clear tasks; and a simulated clock. The
 * schedulers are the real ones; only their database, their executors and their time are simulated.
 */
import type { Outcome, SerializedDag } from "../../src/contracts/index.ts";
import { silentLogger, silentMetrics } from "../../src/platform/index.ts";
import {
  buildGraph,
  createSchedulerMemory,
  type DagCache,
  finishByOutcome,
  pass,
  type SchedulerOptions,
  type SchedulerResources,
} from "../../src/scheduler/index.ts";
import { adoptOrphans, requeueStuckTries } from "../../src/scheduler/recover.ts";
import { createSilenceWatch } from "../../src/scheduler/watch-silence.ts";
import { priorityWeights, tasksToClear } from "../../src/serialized/index.ts";
import { beatJob, beatTries, clearInstances, lockRun, restartRun, type Store, startTries } from "../../src/store/index.ts";
import { findDifferences } from "../model/expect-states.ts";
import type { Dice } from "../model/random-dag.ts";
import { createDice, dagFieldsOf, fateOf, type Scenario } from "../model/random-dag.ts";
import { type ModelOutcome, mapIndexesOf } from "../model/world.ts";
import { serializedDag } from "../support/dag-fixture.ts";
import { SCHEDULER_OPTIONS } from "../support/scheduler-rig.ts";
import { createMemoryDatabase, type RowChange } from "./memory-database.ts";
import { createReferee, type Referee } from "./referee.ts";
import { ACTIVE, type InstanceRow, instanceKey } from "./rows.ts";
import { type Harm, idOf, STATEMENTS, type Surroundings } from "./statements.ts";
import { type Actor, createTurns } from "./turns.ts";
import { createVirtualExecutor, type VirtualExecutor } from "./virtual-executor.ts";
import { storeFor, type UnknownStatement } from "./virtual-store.ts";

export type Faults = {
  /** Probabilities in percent, for each moment at which the event may happen. */
  crash: number;
  freeze: number;
  lostCommitAnswer: number;
  clockJump: number;
  lostWorkload: number;
  doubledWorkload: number;
  workerDeath: number;
  zombie: number;
  doubledReport: number;
};

export const ALL_FAULTS: Faults = {
  crash: 1,
  freeze: 1,
  lostCommitAnswer: 2,
  clockJump: 1,
  lostWorkload: 3,
  doubledWorkload: 5,
  workerDeath: 6,
  zombie: 6,
  doubledReport: 10,
};

export type History = { steps: number; outcomes: number; faults: Record<string, number>; lines: string[] };

/** A history that broke an invariant, with all its events. */
export class BrokenHistory extends Error {}

const SCAN_NEVER_SEC = 1e9;
const STEPS_MAX = 40_000;
/** After this number of steps the faults stop, and all runs must end. */
const STORMY_STEPS = 1_200;
const REST_MS = 40_000;
const FIRST_DAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

/** Throws `BrokenHistory`; an `UnknownStatement` is thrown immediately. */
export async function simulate(
  scenario: Scenario,
  faults: Faults = ALL_FAULTS,
  harm: Harm = "none",
  statements = STATEMENTS,
): Promise<History> {
  const dice = createDice(scenario.fate);
  const history: History = { steps: 0, outcomes: 0, faults: {}, lines: [] };
  const database = createMemoryDatabase();
  let broken: string | null = null;
  let unknown: UnknownStatement | null = null;
  const turns = createTurns(dice, database.isFree, (error) => {
    broken ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
  });
  const startedAt = turns.now();
  const note = (line: string) => history.lines.push(`${((turns.now() - startedAt) / 1_000).toFixed(0)}s ${line}`);

  const fields = dagFieldsOf(scenario, "d", 45);
  const dag = serializedDag(fields);
  const env: Surroundings = {
    now: turns.now,
    maxActiveRuns: scenario.maxActiveRuns,
    maxActiveTasks: scenario.maxActiveTasks,
    pools: new Map([
      ["d_a", scenario.pools[0]],
      ["d_b", scenario.pools[1]],
    ]),
    harm,
    statements,
  };
  const referee = createReferee(dag, env.pools, scenario.parallelism, turns.now, (what) => {
    broken ??= what;
  });
  fill(database.begin(), dag, scenario.runs, referee);

  let isStormy = true;
  let clears = scenario.clears;
  let movedAt = turns.now();
  let frozenUntil = 0;
  const happens = (fault: keyof Faults) => {
    if (!isStormy || !dice.chance(faults[fault])) return false;
    history.faults[fault] = (history.faults[fault] ?? 0) + 1;
    return true;
  };
  const commit = (actor: Actor, changes: readonly RowChange[], begunAt: number) => {
    if (changes.some(isMove)) movedAt = turns.now();
    for (const change of changes) {
      if (change.table !== "instance" || change.before?.state === change.after?.state) continue;
      note(
        `${actor.name}: ${change.after?.runId.slice(-1)}/${change.after?.taskId} ${change.before?.state} → ${change.after?.state}`,
      );
    }
    referee.commit(actor.name, changes, begunAt);
  };
  const open = (actor: Actor): Store =>
    storeFor(actor, database, env, {
      commits: referee.commits,
      commit: (changes, begunAt) => commit(actor, changes, begunAt),
      losesAnswer: () => happens("lostCommitAnswer"),
      fail(error) {
        unknown ??= error;
        turns.interrupt();
      },
    });

  const graph = buildGraph(dag);
  const dags: DagCache = { get: async () => ({ versionId: "v", dagId: "d", moduleHash: "h", graph }) };
  const schedulers: { loop: Actor; timers: Actor; executor: VirtualExecutor }[] = [];
  const count = 1 + dice.roll(3);
  for (let index = 0; index < count; index++) startScheduler(index);

  while (broken === null && unknown === null) {
    if (isStormy && history.steps >= STORMY_STEPS) {
      isStormy = false;
      note("the storm is over");
    }
    if (history.steps++ > STEPS_MAX) broken = `not at rest after ${STEPS_MAX} steps and ${(turns.now() - startedAt) / 1_000} s`;
    if (history.steps % 50 === 0) befall();
    if (history.steps % 20 === 0 && (!isStormy || clears === 0) && isAtRest()) break;
    if (!(await turns.step()) && broken === null && unknown === null) broken = "nobody can move";
  }
  if (unknown !== null) throw unknown;
  const seen = { runs: database.rows("run"), instances: database.rows("instance") };
  const wrong = broken === null ? findDifferences(referee.world, seen) : [broken];
  history.outcomes = referee.world.instances.reduce((sum, one) => sum + one.outcomes.length, 0);
  if (wrong.length > 0) throw new BrokenHistory(`${wrong.join("\n")}\nin this history:\n  ${history.lines.join("\n  ")}`);
  return history;

  /** Between steps: events that affect a whole process, or the data. */
  function befall(): void {
    const [one] = dice.shuffle(schedulers);
    if (!one) return;
    if (happens("crash") || happens("crash")) {
      note(`${one.loop.name} dies`);
      turns.kill(one.loop);
      turns.kill(one.timers);
      schedulers.splice(schedulers.indexOf(one), 1);
      startScheduler(100 + history.steps);
    }
    if (happens("freeze") || happens("freeze")) {
      const sec = 1 + dice.roll(90);
      note(`${one.loop.name} stands still for ${sec} s`);
      frozenUntil = Math.max(frozenUntil, turns.now() + sec * 1_000);
      turns.freeze(one.loop, frozenUntil);
      if (dice.chance(50)) turns.freeze(one.timers, frozenUntil);
    }
    if (happens("clockJump")) {
      const sec = 1 + dice.roll(4_000);
      note(`the clock jumps by ${sec} s`);
      turns.advance(sec * 1_000);
      movedAt = turns.now();
    }
    if (isStormy && clears > 0 && dice.chance(25)) {
      clears--;
      turns.start("somebody", clear);
    }
  }

  /** Whether nothing is in progress and nothing waits for a time. */
  function isAtRest(): boolean {
    const runs = database.rows("run");
    if (runs.every((run) => run.state === "success" || run.state === "failed")) return true;
    const moving: readonly InstanceRow["state"][] = [...ACTIVE, "scheduled", "up_for_retry", "up_for_reschedule"];
    const isMoving = database.rows("instance").some((one) => moving.includes(one.state));
    // Every scheduler has made many passes since; a paused one may hold locks that the others wait for.
    return !isMoving && turns.now() > Math.max(movedAt, frozenUntil) + REST_MS;
  }

  function startScheduler(number: number): void {
    const name = `scheduler ${number}`;
    let jobId = 0;
    const memory = { ...createSchedulerMemory(), ...(harm === "stale-picture" ? { pictures: createStalePictures() } : {}) };
    const executor = createVirtualExecutor(scenario.executorSlots, (id, tryNumber) => handOver(executor, id, tryNumber));
    const resourcesOf = (actor: Actor): SchedulerResources => ({
      store: open(actor),
      clock: { now: turns.now },
      logger: silentLogger,
      metrics: silentMetrics,
      tokens: { sign: async () => "token", verify: async () => ({ audience: "baram:workload", subject: "", expiresAt: 0 }) },
      dags,
      executors: new Map([["LocalExecutor", executor]]),
      ...memory,
      probeApi: async () => null,
      noteInTryLog: async () => {},
      pause: () => actor.turn(),
    });
    const options: SchedulerOptions = {
      ...SCHEDULER_OPTIONS,
      jobId: () => jobId,
      parallelism: scenario.parallelism,
      maxRunsToEvaluate: 1 + dice.roll(4),
      maxInstancesPerQuery: 1 + dice.roll(16),
      createScheduledRuns: false,
      // No safety scan: a change that only the scan would find is a fault.
      fullScanSec: SCAN_NEVER_SEC,
      queuedTimeoutSec: 60,
      startTokenTtlSec: 3_600,
    };
    const startJob = () => {
      const tx = database.begin();
      jobId = tx.run((rows) => {
        const id = rows.nextNumber();
        rows.put("job", id, { id, state: "running", heartbeatAt: turns.now() });
        return id;
      });
      referee.commit(name, tx.commit());
    };
    startJob();
    const loop = turns.start(name, async (actor) => {
      const resources = resourcesOf(actor);
      for (;;) {
        const { more, again } = await pass(resources, options, dice.chance(70));
        await actor.turn(more || again ? 0 : turns.now() + (1 + dice.roll(6)) * 1_000);
      }
    });
    const timers = turns.start(`${name}'s timers`, async (actor) => {
      const resources = resourcesOf(actor);
      const silence = createSilenceWatch(resources, options, () => {});
      for (let round = 1; ; round++) {
        await actor.turn(turns.now() + 5_000);
        if (!(await beatJob(resources.store, jobId))) startJob();
        if (round % 3 === 0) await adoptOrphans(resources, options);
        await silence.check();
        if (round % 6 === 0) await requeueStuckTries(resources, options);
      }
    });
    schedulers.push({ loop, timers, executor });
  }

  /** Stale pictures that count as new, whoever evaluated the run since. */
  function createStalePictures(): SchedulerResources["pictures"] {
    const pictures: SchedulerResources["pictures"] = new Map();
    const get = pictures.get.bind(pictures);
    pictures.get = (id) => {
      const picture = get(id);
      const run = database.rows("run").find((one) => one.id === id);
      if (picture && run) picture.evaluation = run.evaluation;
      return picture;
    };
    return pictures;
  }

  /** Delivers a workload to a worker. */
  function handOver(executor: VirtualExecutor, id: string, tryNumber: number): void {
    if (happens("lostWorkload")) {
      executor.drop(id);
      note(`the workload of ${id} is lost`);
      return;
    }
    const copies = happens("doubledWorkload") ? 2 : 1;
    for (let copy = 1; copy <= copies; copy++) {
      const name = `worker ${id.slice(0, 8)}.${id.slice(-4)}#${copy}`;
      turns.start(name, (actor) => work(actor, executor, id, tryNumber, copy));
    }
  }

  async function work(actor: Actor, executor: VirtualExecutor, id: string, tryNumber: number, copy: number): Promise<void> {
    const store = open(actor);
    await actor.turn(turns.now() + dice.roll(20) * 1_000);
    if (happens("workerDeath")) return die("not_started");
    const started = await startTries(store, [{ id, hostname: "host", unixname: "user", pid: copy }]);
    if (started.length === 0) return executor.drop(id);
    const place = database.rows("instance").find((one) => one.id === id);
    const attempt = (place?.rescheduleCount ?? 0) + 7 * tryNumber;
    const outcome = fateOf(
      scenario.fate,
      `${place?.taskId}/${place?.mapIndex}/${place?.runId}`,
      (place?.rescheduleCount ?? 0) > 4 ? 99 : attempt,
    );
    for (let beats = dice.roll(4); beats > 0; beats--) {
      await actor.turn(turns.now() + 5_000);
      if ((await beatTries(store, [id])).length === 0 && !happens("zombie")) return executor.drop(id);
    }
    if (outcome === "lost" || happens("workerDeath")) {
      return die("lost");
    }
    // The worker pauses, is declared dead, and comes back with its report.
    if (happens("zombie")) await actor.turn(turns.now() + (30 + dice.roll(400)) * 1_000);
    const times = happens("doubledReport") ? 2 : 1;
    for (let time = 0; time < times; time++) {
      referee.reports(actor.name, id, outcome);
      await finishByOutcome(store, dags, [{ id, outcome: outcomeOf(outcome, dice) }]);
      await actor.turn(turns.now() + dice.roll(10) * 1_000);
    }
    executor.drop(id);

    /** Its executor reports the loss, or only notices that the slot is free. */
    function die(kind: "lost" | "not_started"): void {
      note(`${actor.name} dies`);
      if (dice.chance(50)) executor.emit({ kind, id, reason: "killed" });
      else executor.drop(id);
    }
  }

  async function clear(actor: Actor): Promise<void> {
    const [task] = dice.shuffle(dag.tasks);
    const run = dice.roll(scenario.runs);
    if (!task) return;
    const taskIds = tasksToClear(dag, [task.taskId], { upstream: false, downstream: true });
    note(`somebody clears ${run}/${taskIds}`);
    await open(actor).transaction(async (tx) => {
      const facts = await lockRun(tx, "d", `r${run}`);
      if (!facts) return;
      await clearInstances(tx, facts.id, taskIds, null, "cleared");
      await restartRun(tx, facts.id, facts.state === "success" || facts.state === "failed");
    });
  }
}

/** A change of a state; changes that only repeated checks make do not count. */
function isMove({ table, before, after }: RowChange): boolean {
  return (table === "instance" || table === "run") && before?.state !== after?.state;
}

function fill(
  tx: ReturnType<ReturnType<typeof createMemoryDatabase>["begin"]>,
  dag: SerializedDag,
  runs: number,
  referee: Referee,
): void {
  const weights = priorityWeights(dag);
  tx.run((rows) => {
    for (let day = 0; day < runs; day++) {
      const id = day + 1;
      const logicalDate = new Date(FIRST_DAY + day * DAY_MS);
      const runId = `r${day}`;
      rows.put("run", id, {
        id,
        dagId: dag.dagId,
        runId,
        versionId: "v",
        state: "queued",
        logicalDate,
        runAfter: logicalDate,
        evaluation: 0,
        clearNumber: 0,
        nextScanAt: null,
        decidedAt: null,
      });
      const places = dag.tasks.flatMap((task) => mapIndexesOf(task).map((mapIndex) => ({ task, mapIndex })));
      for (const [index, { task, mapIndex }] of places.entries()) {
        const row: InstanceRow = {
          id: idOf(id * 1_000 + index, 0),
          dagRunId: id,
          dagId: dag.dagId,
          runId,
          taskId: task.taskId,
          mapIndex,
          state: null,
          tryNumber: 0,
          maxTries: task.retries,
          retries: task.retries,
          pool: task.pool,
          poolSlots: task.poolSlots,
          priorityWeight: weights.get(task.taskId) ?? 1,
          maxActiveTisPerDag: task.maxActiveTisPerDag,
          maxActiveTisPerDagrun: task.maxActiveTisPerDagrun,
          nextAttemptAt: null,
          scheduledAt: null,
          queuedAt: null,
          queuedBy: null,
          heartbeatAt: null,
          queueAttempts: 0,
          rescheduleCount: 0,
          startedBy: null,
        };
        rows.put("instance", instanceKey(row), row);
      }
    }
  });
  for (const change of tx.commit()) if (change.table === "run" && change.after) referee.addRun(change.after);
}

function outcomeOf(outcome: ModelOutcome, dice: Dice): Outcome {
  const error = { name: "Error", message: "on purpose", stack: null };
  switch (outcome) {
    case "success":
      return { state: "success", xcoms: [], skipTasks: [] };
    case "skipped":
      return { state: "skipped", reason: "on purpose", xcoms: [] };
    case "failed":
    case "lost":
      return { state: "failed", retryable: true, error, xcoms: [] };
    case "fatal":
      return { state: "failed", retryable: false, error, xcoms: [] };
    case "rescheduled":
      return { state: "up_for_reschedule", rescheduleDate: new Date(Date.now() + (5 + dice.roll(60)) * 1_000).toISOString() };
  }
}
