// Values at the bounds of a DAG file pass through all stages: definition, contract form, database, scheduler. A value that cannot
// be saved gives an error.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TestDatabase } from "../../../tests/support/database.ts";
import { createRig, createSchedulerDatabase, trigger } from "../../../tests/support/scheduler-rig.ts";
import {
  COUNT_MAX,
  DURATION_MAX_SEC,
  INSTANT_MAX_MS,
  INSTANT_MIN_MS,
  type Outcome,
  POOL_SLOTS_MAX,
} from "../../contracts/index.ts";
import { BaramError, type Logger, silentLogger } from "../../platform/index.ts";
import { clearRun } from "../../scheduler/index.ts";
import { type DagOptions, dag, delta, type TaskOptions, task } from "../../sdk/index.ts";
import { serializeDag } from "../../sdk/runtime.ts";
import { hashDag, parseSerializedDag, validateDag } from "../../serialized/index.ts";
import { setPool } from "../../store/index.ts";
import { createSqlDagFileStore } from "./sql-dag-file-store.ts";

let database: TestDatabase;
beforeEach(async () => {
  database = await createSchedulerDatabase();
});
afterEach(() => database.drop());

const createStore = () =>
  createSqlDagFileStore(database.store, {
    pausedAtCreation: false,
    activeBundles: [],
    executors: [{ name: "LocalExecutor", alias: null }],
    faultForExecutor: () => null,
  });

/** `forged`: what stands in the stored form that the SDK would refuse. */
async function save(options: DagOptions, taskOptions: Partial<TaskOptions> = {}, forged: object = {}): Promise<void> {
  const definition = dag(options, () => void task({ taskId: "t", ...taskOptions }, () => null)());
  const parsed = parseSerializedDag(JSON.stringify({ ...serializeDag(definition), ...forged }));
  expect(validateDag(parsed)).toEqual([]);
  const relativePath = `${options.dagId}.ts`;
  await createStore().saveDags({
    bundleName: "dags",
    relativePath,
    inputs: [relativePath],
    inputsHash: "h",
    build: [1],
    isForced: false,
    takeFrom: [],
    module: { hash: hashDag(parsed), code: "//", externals: [] },
    source: "//",
    dags: [{ dag: parsed, hash: hashDag(parsed), plan: null }],
  });
}

/** The ends of a range much more often than its middle. */
const within = (min: number, max: number) => fc.oneof(fc.constantFrom(min, min + 1, max - 1, max), fc.integer({ min, max }));
const count = within(1, COUNT_MAX);
const duration = fc.oneof(
  fc.constantFrom({ seconds: DURATION_MAX_SEC }, { days: 36_525 }, { milliseconds: 1 }, "25d", "50d"),
  fc.double({ min: 0.001, max: DURATION_MAX_SEC, noNaN: true }).map((seconds) => ({ seconds })),
);
const instant = fc.oneof(
  // A data interval of the maximum duration starts a hundred years earlier, and must not start before 1900.
  fc.constantFrom("2001-01-01", "2010-05-05T05:00:00+09:00", "9999-12-31T23:59:59.999Z"),
  fc.date({ min: new Date("2001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
);
const optional = { requiredKeys: [] };
const dagOptions = fc.record(
  {
    startDate: instant,
    catchup: fc.boolean(),
    maxActiveRuns: count,
    maxActiveTasks: count,
    maxConsecutiveFailedDagRuns: within(0, COUNT_MAX),
    dagrunTimeout: duration,
    timezone: fc.constantFrom("UTC", "Europe/Amsterdam", "Asia/Seoul", "Pacific/Apia"),
    schedule: fc.oneof(
      fc.constantFrom("@daily", "0 0 29 2 *", "@once", "@continuous"),
      duration.map((every) => delta(every)),
      duration.map((every) => delta("1d", { interval: every })),
    ),
  },
  optional,
);
const taskOptions = fc.record(
  {
    retries: within(0, COUNT_MAX),
    retryDelay: duration,
    retryExponentialBackoff: fc.oneof(fc.boolean(), fc.double({ min: 1, noNaN: true, noDefaultInfinity: true })),
    maxRetryDelay: duration,
    executionTimeout: duration,
    priorityWeight: within(-COUNT_MAX, COUNT_MAX),
    poolSlots: within(1, POOL_SLOTS_MAX),
    maxActiveTisPerDag: count,
    maxActiveTisPerDagrun: count,
  },
  optional,
);

const DEFERRED: Outcome = {
  state: "deferred",
  classpath: "baram.triggers.DateTimeTrigger",
  triggerKwargs: {},
  timeoutSec: DURATION_MAX_SEC,
  nextMethod: "execute",
  nextKwargs: {},
};
const OUTCOMES: Outcome[] = [
  { state: "success", xcoms: [], skipTasks: [], mapLength: 1_024 },
  { state: "failed", retryable: true, error: { name: "E", message: "m", stack: null }, xcoms: [] },
  { state: "up_for_reschedule", rescheduleDate: "9999-12-31T23:59:59.999Z" },
  DEFERRED,
];

test("every number and duration that a DAG may have is saved, scheduled, run, retried and cleared without a refusal", async () => {
  // Enough slots for all of them at once: the sum of their slots exceeds an integer.
  await setPool(database.store, { pool: "wide", slots: -1, description: null, includeDeferred: true });
  const given = fc.sample(fc.tuple(dagOptions, taskOptions), { numRuns: 80, seed: 1_204 });
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (facts, message) => void errors.push(`${message}: ${JSON.stringify(facts)}`) };
  const outcomeOf = new Map<string, Outcome>();
  for (const [at, [options, ofTask]] of given.entries()) {
    const dagId = `d${at}`;
    if (options.schedule === "@continuous") delete options.maxActiveRuns;
    await save({ dagId, ...options }, { pool: "wide", ...ofTask });
    outcomeOf.set(dagId, OUTCOMES[at % OUTCOMES.length] ?? DEFERRED);
    await trigger(database.store, dagId, at % 2 === 0 ? new Date("2024-02-29T00:00:00Z") : null);
  }
  const rig = await createRig(database, { logger, startsFirst: true, work: ({ ti }) => outcomeOf.get(ti.dagId) ?? null });
  for (let pass = 0; pass < 20; pass++) {
    await rig.pass();
    await rig.executor.settled();
  }
  const { rows } = await database.store.query<{ state: string; count: number }>(
    `select ti.state, count(*)::int as count from task_instance ti join dag_run r on r.id = ti.dag_run_id
      where r.run_type = 'manual' group by 1 order by 1`,
  );
  expect(errors).toEqual([]);
  // At least one task has reached each of these states.
  expect(rows.map(({ state }) => state)).toEqual(expect.arrayContaining(["deferred", "success", "up_for_reschedule"]));
  // One of these two: it depends on its number of retries and their delay.
  expect(rows.some(({ state }) => state === "up_for_retry" || state === "failed")).toBe(true);
  const runs = await database.store.query<{ dagId: string; runId: string }>(
    `select dag_id as "dagId", run_id as "runId" from dag_run`,
  );
  for (const { dagId, runId } of runs.rows) await clearRun(database.store, dagId, runId, { user: "ada" });
  await rig.pass();
  expect(errors).toEqual([]);
}, 120_000);

test("every instant within the bounds comes back as it went, whatever the zone of the process", async () => {
  const { TZ } = process.env;
  try {
    for (const zone of ["UTC", "Europe/Amsterdam", "Asia/Seoul", "America/New_York"]) {
      process.env.TZ = zone;
      const instants = [INSTANT_MIN_MS, Date.UTC(1930, 5, 1), 0, Date.UTC(2026, 2, 29, 1, 30), INSTANT_MAX_MS].map(
        (ms) => new Date(ms),
      );
      const { rows } = await database.store.query<{ at: Date }>("select unnest($1::timestamptz[]) as at", [instants]);
      expect(
        rows.map(({ at }) => at.toISOString()),
        zone,
      ).toEqual(instants.map((at) => at.toISOString()));
    }
  } finally {
    if (TZ === undefined) delete process.env.TZ;
    else process.env.TZ = TZ;
  }
});

test("what the database refuses of a DAG is told as the file's fault, and leaves nothing behind", async () => {
  const refused = save({ dagId: "bad" }, {}, { description: "a\0b" });
  await expect(refused).rejects.toThrow(BaramError);
  await expect(refused).rejects.toMatchObject({
    code: "dag_unsaved",
    message: expect.stringContaining('DAG "bad" of bad.ts cannot be saved'),
  });
  expect((await database.store.query("select 1 from dag")).rowCount).toBe(0);
});

test("slots that add up to more than an integer holds stop no scheduler and no list of pools", async () => {
  await setPool(database.store, { pool: "wide", slots: -1, description: null, includeDeferred: true });
  await save({ dagId: "d", maxActiveTasks: 100 }, { pool: "wide", poolSlots: POOL_SLOTS_MAX });
  const runIds = [];
  for (let run = 0; run < 4; run++) runIds.push(await trigger(database.store, "d"));
  // As in rows from before the bound existed.
  await database.store.query("update task_instance set pool_slots = 2000000000, state = 'deferred' where run_id = any($1)", [
    runIds.slice(0, 2),
  ]);
  await database.store.query("update task_instance set pool_slots = 2000000000, state = 'running' where run_id = $1", [
    runIds[2],
  ]);
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_facts, message) => void errors.push(String(message)) };
  const rig = await createRig(database, { logger });
  await rig.drain();
  const { rows } = await database.store.query<{ state: string }>("select state from task_instance where run_id = $1", [
    runIds[3],
  ]);
  expect([errors, rows]).toEqual([[], [{ state: "success" }]]);
});

test("a pool that is over by more than an integer holds lets its first in line wait, and stops no scheduler", async () => {
  await setPool(database.store, { pool: "narrow", slots: 10, description: null, includeDeferred: false });
  await save({ dagId: "narrow", maxActiveTasks: 100 }, { pool: "narrow", poolSlots: 5 });
  await save({ dagId: "other" });
  const holders = [];
  for (let run = 0; run < 2; run++) holders.push(await trigger(database.store, "narrow"));
  await database.store.query("update task_instance set pool_slots = 2000000000, state = 'running' where run_id = any($1)", [
    holders,
  ]);
  const [waiting, beside] = [await trigger(database.store, "narrow"), await trigger(database.store, "other")];
  const rig = await createRig(database);
  await rig.drain();
  const stateOf = async (runId: string) =>
    (await database.store.query<{ state: string }>("select state from task_instance where run_id = $1", [runId])).rows;
  expect([await stateOf(waiting), await stateOf(beside)]).toEqual([[{ state: "scheduled" }], [{ state: "success" }]]);
});

test.each([
  ["gpu,cpu", /its queue's name is "gpu,cpu"/],
  [" gpu", /neither begins nor ends with a space/],
  ["a\u0007b", /no control character/],
  ["ä".repeat(126), /its queue's name is 252 bytes long; 250 are allowed/],
])("a queue's name that no broker or worker can be given is an error of its file: %j", async (queue, message) => {
  await expect(save({ dagId: "d" }, { queue })).rejects.toMatchObject({
    code: "dag_unsaved",
    message: expect.stringMatching(message) as string,
  });
});

test("a queue's name may have spaces inside and any letters", async () => {
  await save({ dagId: "d" }, { queue: "große Maschinen 大" });
});
