import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TestDatabase } from "../support/database.ts";
import { createRig, createSchedulerDatabase } from "../support/scheduler-rig.ts";
import { type Driven, driveScenario } from "./drive-scenario.ts";
import { type Scenario, scenarios } from "./random-dag.ts";

let database: TestDatabase;
let processes: [TestDatabase, TestDatabase];
beforeAll(async () => {
  database = await createSchedulerDatabase();
  // Each scheduler keeps its connections for all scenarios.
  const withOneStore = (store = database.open()): TestDatabase => ({ ...database, open: () => store });
  processes = [withOneStore(), withOneStore()];
});
afterAll(() => database.drop());

/** BARAM_SEED repeats a run; BARAM_RUNS sets a number of scenarios instead of a time. */
const SEED = Number(process.env.BARAM_SEED ?? Date.now() % 1_000_000_000);
const RUNS = process.env.BARAM_RUNS === undefined ? null : Number(process.env.BARAM_RUNS);
const TIME_MS = 22_000;

let number = 0;

async function drive(scenario: Scenario, tamper?: () => Promise<unknown>): Promise<Driven> {
  const settings = { parallelism: scenario.parallelism };
  const options = { settings, slots: scenario.executorSlots, work: () => null };
  const [one, other] = processes;
  try {
    const rigs = [await createRig(one, options), await createRig(other, options)] as const;
    return await driveScenario(database.store, [...rigs], `d${++number}`, scenario, tamper);
  } finally {
    await database.store.query("delete from dag_run");
  }
}

test("whatever happens in whatever order, two schedulers come to the model's states, tries and run ends, and keep every limit", {
  timeout: RUNS === null ? 120_000 : 3_600_000,
}, async () => {
  const total = { scenarios: 0, steps: 0, passes: 0, outcomes: 0 };
  const property = fc.asyncProperty(scenarios(), async (scenario) => {
    const driven = await drive(scenario);
    total.scenarios++;
    total.steps += driven.steps;
    total.passes += driven.passes;
    total.outcomes += driven.outcomes;
  });
  // In batches, since an interrupted property would continue during the following tests.
  const deadline = performance.now() + TIME_MS;
  console.log(`BARAM_SEED=${SEED}`);
  if (RUNS !== null) await fc.assert(property, { seed: SEED, numRuns: RUNS });
  else for (let seed = SEED; performance.now() < deadline; seed++) await fc.assert(property, { seed, numRuns: 10 });
  console.log(`held ${JSON.stringify(total)}`);
  expect(total.outcomes, "nothing happened").toBeGreaterThan(10);
});

const PLAIN: Scenario["tasks"][number] = {
  upstream: [],
  rule: "all_success",
  retries: 1,
  waits: false,
  priority: 1,
  weightRule: "absolute",
  pool: "a",
  poolSlots: 1,
  isEmpty: false,
  dependsOnPast: false,
  waitForDownstream: false,
  waitsBeforeSkipping: false,
  perDag: null,
  perRun: null,
  kind: "work",
  mappedOver: null,
};
const CHAIN: Scenario = {
  tasks: [PLAIN, { ...PLAIN, upstream: [0] }, { ...PLAIN, upstream: [1] }, { ...PLAIN, upstream: [0], rule: "all_done" }],
  runs: 2,
  maxActiveRuns: 2,
  maxActiveTasks: 16,
  pools: [2, 2],
  executorSlots: 100,
  parallelism: 100,
  fate: 5,
  clears: 0,
};

test("runs that depend on their past come to the model's states when failed ones are cleared, one run at a time", {
  timeout: 120_000,
}, async () => {
  const tasks = [
    { ...PLAIN, retries: 0, dependsOnPast: true },
    { ...PLAIN, retries: 0, upstream: [0], waitForDownstream: true },
  ];
  for (let fate = 0; fate < 12; fate++) await drive({ ...CHAIN, tasks, runs: 3, maxActiveRuns: 1, fate: SEED + fate, clears: 4 });
});

test("it sees a line that the outbox lost", async () => {
  await drive(CHAIN);
  await expect(drive(CHAIN, () => database.store.query("delete from task_event"))).rejects.toThrow("differ from the model");
});

test("it sees a pool that is overdrawn, a try counted twice and a task that starts before its time", async () => {
  const harm = (set: string) => () => database.store.query(`update task_instance set ${set}`);
  await expect(drive(CHAIN, harm("state = 'queued' where state is null"))).rejects.toThrow("pool d");
  await expect(drive(CHAIN, harm("try_number = 2 where state = 'queued'"))).rejects.toThrow("at try 2");
  await expect(
    drive({ ...CHAIN, pools: [-1, 2] }, harm("state = 'scheduled' where task_id = 't03' and state is null")),
  ).rejects.toThrow("differ from the model");
});
