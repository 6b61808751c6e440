import fc from "fast-check";
import { expect, test } from "vitest";
import { scenarios } from "../model/random-dag.ts";
import { ALL_FAULTS, simulate } from "./simulate.ts";
import { type Harm, STATEMENTS } from "./statements.ts";
import { UnknownStatement } from "./virtual-store.ts";

/** BARAM_SEED repeats a run; BARAM_RUNS sets a number of histories instead of a time. */
const SEED = Number(process.env.BARAM_SEED ?? Date.now() % 1_000_000_000);
const RUNS = process.env.BARAM_RUNS === undefined ? null : Number(process.env.BARAM_RUNS);
const TIME_MS = 6_000;

test("whoever crashes, dozes off, doubles or loses what, every history keeps the invariants and ends as the model says", {
  timeout: RUNS === null ? 60_000 : 3_600_000,
}, async () => {
  const total = { histories: 0, steps: 0, outcomes: 0, faults: {} as Record<string, number> };
  let unknown: UnknownStatement | null = null;
  const property = fc.asyncProperty(scenarios({ size: 8, runs: 3 }), async (scenario) => {
    // A fault of the simulator itself is not shrunk: it is reported at once.
    if (unknown) return;
    const history = await simulate(scenario).catch((error: unknown) => {
      if (!(error instanceof UnknownStatement)) throw error;
      unknown = error;
    });
    if (!history) return;
    total.histories++;
    total.steps += history.steps;
    total.outcomes += history.outcomes;
    for (const [fault, times] of Object.entries(history.faults)) total.faults[fault] = (total.faults[fault] ?? 0) + times;
  });
  // In batches, since an interrupted property would continue during the following tests.
  const deadline = performance.now() + TIME_MS;
  console.log(`BARAM_SEED=${SEED}`);
  const began = process.cpuUsage();
  if (RUNS !== null) await fc.assert(property, { seed: SEED, numRuns: RUNS });
  else for (let seed = SEED; performance.now() < deadline && !unknown; seed++) await fc.assert(property, { seed, numRuns: 50 });
  if (unknown) throw unknown;
  // By CPU time, which other processes on a busy machine do not affect.
  const { user, system } = process.cpuUsage(began);
  const perMinute = Math.round((total.histories / (user + system)) * 60_000_000);
  console.log(`held ${JSON.stringify({ ...total, perMinute })}`);
  expect(Object.keys(total.faults).sort(), "a fault never fired").toEqual(Object.keys(ALL_FAULTS).sort());
});

/** How each harm is found; it is enough if one of a few hundred histories finds it. */
const HARMS: [Exclude<Harm, "none">, RegExp][] = [
  ["no-fence", /reported for|to a state|from .* to|under the id|model says/],
  ["lost-event", /the model says|not at rest/],
  ["no-dispatch-lock", /: \d+ of \d+/],
  ["stale-picture", /the model|from .* to|not at rest/],
];

test.each(HARMS)("it sees the harm of %s", async (harm, how) => {
  const found: string[] = [];
  for (const scenario of fc.sample(scenarios({ size: 8, runs: 3 }), { seed: 7, numRuns: 300 })) {
    // Limits low enough to be reached, and enough slots to exceed them.
    const tight = { runs: 3, maxActiveRuns: 3, maxActiveTasks: 2, pools: [2, 2] as const, executorSlots: 100, parallelism: 100 };
    const harmed = harm === "no-dispatch-lock" ? { ...scenario, ...tight } : scenario;
    // Many workers come back after they were declared dead: without a fence they cause the harm.
    await simulate(harmed, { ...ALL_FAULTS, zombie: 40 }, harm).catch((error: Error) =>
      found.push(error.message.split("\n")[0] ?? ""),
    );
    if (found.length > 0) break;
  }
  expect(found[0]).toMatch(how);
});

test("the same scenario is the same history, move by move", async () => {
  for (const scenario of fc.sample(scenarios({ size: 8, runs: 3 }), { seed: 3, numRuns: 10 }))
    expect(await simulate(scenario)).toEqual(await simulate(scenario));
});

/** Statements that are sent in every pass, in a group, after the failure of a batch, next to the loop, and by workers. */
const SOME = ["claim-runs", "queue-callbacks", "queue-instances", "record-evaluations", "recover-callbacks", "finish-tries"];

test.each(SOME)("without a stand-in for %s a history ends at once, with the statement's name", async (name) => {
  const { [name]: _gone, ...statements } = STATEMENTS;
  const [scenario] = fc.sample(scenarios({ size: 8, runs: 3 }), { seed: 7, numRuns: 1 });
  if (!scenario) throw new Error("no scenario");
  const failed = await simulate(scenario, ALL_FAULTS, "none", statements).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(UnknownStatement);
  expect((failed as Error).message).toContain(`"${name}"`);
});
