import fc from "fast-check";
import { TRIGGER_RULES, type TriggerRule } from "../../src/contracts/index.ts";
import type { ModelOutcome } from "./world.ts";

/** A DAG, its environment and a fate, as plain data, so that fast-check can shrink and print it. */
export type Scenario = {
  tasks: readonly ScenarioTask[];
  runs: number;
  maxActiveRuns: number;
  maxActiveTasks: number;
  /** Slots of pool `a` and `b`. */
  pools: readonly [number, number];
  executorSlots: number;
  parallelism: number;
  /** Seed of all events in the scenario. */
  fate: number;
  /** Number of clears. */
  clears: number;
};

export type ScenarioTask = {
  /** Numbers of earlier tasks. */
  upstream: readonly number[];
  rule: TriggerRule;
  retries: number;
  /** Whether retries have a delay. */
  waits: boolean;
  priority: number;
  weightRule: "downstream" | "upstream" | "absolute";
  pool: "a" | "b";
  poolSlots: number;
  isEmpty: boolean;
  dependsOnPast: boolean;
  waitForDownstream: boolean;
  waitsBeforeSkipping: boolean;
  perDag: number | null;
  perRun: number | null;
  kind: "work" | "setup" | "teardown" | "counting teardown";
  /** Number of elements of the literal list that it is mapped over; null = it is not mapped. */
  mappedOver: number | null;
};

const rarely = <T>(value: fc.Arbitrary<T>, otherwise: T, one = 5) =>
  fc.oneof({ arbitrary: fc.constant(otherwise), weight: one }, { arbitrary: value, weight: 1 });

const task = (index: number, withPast: boolean): fc.Arbitrary<ScenarioTask> =>
  fc.record({
    upstream: index === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat(index - 1), { maxLength: 3 }),
    rule: fc.oneof(
      { arbitrary: fc.constant<TriggerRule>("all_success"), weight: 1 },
      { arbitrary: fc.constantFrom(...TRIGGER_RULES), weight: 2 },
    ),
    retries: fc.constantFrom(0, 0, 1, 2),
    waits: fc.boolean(),
    priority: fc.integer({ min: 1, max: 5 }),
    weightRule: fc.constantFrom("downstream", "upstream", "absolute"),
    pool: fc.constantFrom("a", "b"),
    poolSlots: fc.constantFrom(1, 1, 1, 2),
    isEmpty: rarely(fc.constant(true), false),
    dependsOnPast: withPast ? rarely(fc.constant(true), false, 2) : fc.constant(false),
    waitForDownstream: withPast ? rarely(fc.constant(true), false) : fc.constant(false),
    waitsBeforeSkipping: withPast ? rarely(fc.constant(true), false, 3) : fc.constant(false),
    perDag: rarely<number | null>(fc.constantFrom(1, 2), null),
    perRun: rarely<number | null>(fc.constant(1), null),
    kind: rarely<ScenarioTask["kind"]>(fc.constantFrom("setup", "teardown", "counting teardown"), "work"),
    mappedOver: rarely<number | null>(fc.integer({ min: 1, max: 3 }), null),
  });

/** At most `size` tasks in at most `runs` concurrent runs. */
export function scenarios({ size = 12, runs = 4 } = {}): fc.Arbitrary<Scenario> {
  return fc.tuple(fc.integer({ min: 1, max: size }), fc.boolean()).chain(([count, withPast]) =>
    fc.record({
      tasks: fc.tuple(...Array.from({ length: count }, (_, index) => task(index, withPast))),
      runs: fc.integer({ min: 1, max: runs }),
      maxActiveRuns: fc.integer({ min: 1, max: runs }),
      maxActiveTasks: fc.constantFrom(1, 2, 3, 16),
      pools: fc.tuple(fc.constantFrom(-1, 2, 3, 8), fc.constantFrom(2, 3, 8)),
      executorSlots: fc.constantFrom(1, 2, 4, 100),
      parallelism: fc.constantFrom(2, 3, 100),
      fate: fc.integer({ min: 0, max: 0x7fff_ffff }),
      clears: fc.constantFrom(0, 0, 1, 2),
    }),
  );
}

/** The serialized fields of the scenario's DAG; delayed retries wait for `waitSec`. */
export function dagFieldsOf(scenario: Scenario, dagId: string, waitSec: number) {
  return {
    dagId,
    maxActiveRuns: scenario.maxActiveRuns,
    maxActiveTasks: scenario.maxActiveTasks,
    tasks: scenario.tasks.map((one, index) => ({
      taskId: nameOf(index),
      upstream: one.upstream.map(nameOf).sort(),
      triggerRule: one.rule,
      retries: one.retries,
      retryDelaySec: one.waits ? waitSec : 0,
      priorityWeight: one.priority,
      weightRule: one.weightRule,
      pool: `${dagId}_${one.pool}`,
      poolSlots: one.poolSlots,
      isEmpty: one.isEmpty,
      dependsOnPast: one.dependsOnPast,
      waitForDownstream: one.waitForDownstream,
      waitForPastDependsBeforeSkipping: one.waitsBeforeSkipping,
      maxActiveTisPerDag: one.perDag,
      maxActiveTisPerDagrun: one.perRun,
      isSetup: one.kind === "setup",
      mapping: isMapped(one)
        ? { kind: "expand", inputs: [{ name: "0", source: { type: "literal", length: one.mappedOver } }] }
        : null,
      isTeardown: one.kind === "teardown" || one.kind === "counting teardown",
      onFailureFailDagrun: one.kind === "counting teardown",
    })),
  };
}

/** Setups, teardowns and empty tasks are never mapped. */
function isMapped(task: ScenarioTask): boolean {
  return task.mappedOver !== null && task.kind === "work" && !task.isEmpty;
}

/** Its alphabetical order is that of the numbers, in which the tasks may also run. */
function nameOf(index: number): string {
  return `t${String(index).padStart(2, "0")}`;
}

/** How the `attempt`-th attempt (including pokes) of an instance ends: always the same for the same fate. */
export function fateOf(fate: number, key: string, attempt: number): ModelOutcome {
  const roll = hash(`${fate}/${key}/${attempt}`) % 100;
  if (roll < 55) return "success";
  if (roll < 74) return "failed";
  if (roll < 82) return "lost";
  if (roll < 87) return "fatal";
  if (roll < 94) return "skipped";
  // A sensor must end at some time, otherwise the history would not end.
  return attempt < 6 ? "rescheduled" : "success";
}

function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  value = Math.imul(value ^ (value >>> 12), 0x297a2d39);
  return (value ^ (value >>> 15)) >>> 0;
}

export type Dice = {
  /** 0 ≤ n < below. */
  roll(below: number): number;
  chance(percent: number): boolean;
  pick<T>(list: readonly [T, ...T[]]): T;
  shuffle<T>(list: readonly T[]): T[];
};

/** mulberry32: the same seed gives the same numbers. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const roll = (below: number) => next() % below;
  return {
    roll,
    chance: (percent) => roll(100) < percent,
    pick: (list) => list[roll(list.length)] ?? list[0],
    shuffle(list) {
      const left = [...list];
      return list.flatMap(() => left.splice(roll(left.length), 1));
    },
  };
}
