import fc from "fast-check";
import { expect, test } from "vitest";
import { type Scenario, scenarios } from "../model/random-dag.ts";
import { ALL_FAULTS, simulate } from "./simulate.ts";
import type { Harm } from "./statements.ts";

/** BARAM_SEED repeats a run; BARAM_RUNS asks for a number of histories instead of a time. */
const SEED = Number(process.env.BARAM_SEED ?? Date.now() % 1_000_000_000);
const RUNS = process.env.BARAM_RUNS === undefined ? null : Number(process.env.BARAM_RUNS);
const TIME_MS = 6_000;

test(
  "whoever crashes, dozes off, doubles or loses what, every history keeps the invariants and ends as the model says",
  { timeout: RUNS === null ? 60_000 : 3_600_000 },
  async () => {
    const total = { histories: 0, steps: 0, outcomes: 0, faults: {} as Record<string, number> };
    const property = fc.asyncProperty(scenarios({ size: 8, runs: 3 }), async (scenario) => {
      const history = await simulate(scenario);
      total.histories++;
      total.steps += history.steps;
      total.outcomes += history.outcomes;
      for (const [fault, times] of Object.entries(history.faults)) total.faults[fault] = (total.faults[fault] ?? 0) + times;
    });
    const limit = RUNS === null ? { numRuns: 1_000_000, interruptAfterTimeLimit: TIME_MS } : { numRuns: RUNS };
    console.log(`BARAM_SEED=${SEED}`);
    const begin = performance.now();
    await fc.assert(property, { seed: SEED, ...limit });
    const perMinute = Math.round((total.histories / (performance.now() - begin)) * 60_000);
    console.log(`held ${JSON.stringify({ ...total, perMinute })}`);
    expect(Object.keys(total.faults).sort(), "a fault never fired").toEqual(Object.keys(ALL_FAULTS).sort());
  },
);
