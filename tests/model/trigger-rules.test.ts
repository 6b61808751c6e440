import { expect, test } from "vitest";
import { TRIGGER_RULES, type TriggerRule } from "../../src/contracts/index.ts";
import { judgeTriggerRule } from "../../src/scheduler/core/trigger-rules.ts";
import { applyEvent, buildGraph, buildPicture, judge } from "../../src/scheduler/index.ts";
import { serializedDag } from "../support/dag-fixture.ts";
import { allowedVerdicts, type Upstream } from "./trigger-rules.ts";
import type { State } from "./world.ts";

const ENDS = ["success", "failed", "skipped", "upstream_failed", "removed"] as const;
/** Ends, and the relevant states of instances that have not ended. */
const MIXED: readonly State[] = [...ENDS, null, "running", "up_for_retry"];

/** All multisets of `size` states, with all ways of marking their members as setups. */
function* upstreams(states: readonly State[], size: number, from = 0): Generator<Upstream[]> {
  if (size === 0) return void (yield []);
  for (let index = from; index < states.length; index++) {
    for (const rest of upstreams(states, size - 1, index))
      for (const isSetup of [false, true]) yield [{ state: states[index] ?? null, isSetup }, ...rest];
  }
}

function* allUpstreams(states: readonly State[]): Generator<Upstream[]> {
  for (let size = 0; size <= 3; size++) yield* upstreams(states, size);
}

function countsOf(upstream: readonly Upstream[]) {
  const present = upstream.filter(({ state }) => state !== "removed");
  const number = (list: readonly Upstream[], wanted?: State) => list.filter(({ state }) => state === wanted).length;
  const setups = present.filter(({ isSetup }) => isSetup);
  return {
    total: present.length,
    success: number(present, "success"),
    failed: number(present, "failed"),
    upstreamFailed: number(present, "upstream_failed"),
    skipped: number(present, "skipped"),
    setupTotal: setups.length,
    setupSuccess: number(setups, "success"),
    setupSkipped: number(setups, "skipped"),
  };
}

function dagWith(rule: TriggerRule, upstream: readonly Upstream[]) {
  const parents = upstream.map(({ isSetup }, index) => ({ taskId: `p${index}`, isSetup }));
  const names = parents.map((parent) => parent.taskId);
  return serializedDag({ dagId: "d", tasks: [...parents, { taskId: "x", triggerRule: rule, upstream: names }] });
}

test.each(TRIGGER_RULES)(
  "%s: the rule alone decides as the model does, for every multiset of up to three upstream states",
  (rule) => {
    let looked = 0;
    for (const upstream of allUpstreams(MIXED)) {
      const verdict = judgeTriggerRule(rule, countsOf(upstream));
      expect(allowedVerdicts(rule, upstream), `${rule} over ${JSON.stringify(upstream)}`).toContain(verdict);
      looked++;
    }
    expect(looked).toBeGreaterThan(1_000);
  },
);

test.each(TRIGGER_RULES)("%s: a picture decides as the model does, built at the end or moved there end by end", (rule) => {
  for (const upstream of allUpstreams(ENDS)) {
    const graph = buildGraph(dagWith(rule, upstream));
    const allowed = allowedVerdicts(rule, upstream);
    const shown = allowed.map((verdict) => (verdict === "run" ? "scheduled" : verdict));
    const facts = upstream.map(({ state }, index) => ({ taskId: `p${index}`, mapIndex: -1, state }));
    const at = `${rule} over ${JSON.stringify(upstream)}`;
    const fresh = buildPicture(graph, [...facts, { taskId: "x", mapIndex: -1, state: null }], 0);
    const [change] = judge(fresh, () => false).changes;
    expect(shown, `${at}, built`).toContain(change?.to);
    // The same ends, arriving one after the other: the decision may come early, and must be one of the allowed ones.
    const running = facts.map((fact) => ({ ...fact, state: "running" as const }));
    const moved = buildPicture(graph, [...running, { taskId: "x", mapIndex: -1, state: null }], 0);
    const { changes } = judge(moved, () => false);
    for (const fact of facts) {
      expect(applyEvent(moved, fact)).toBe(true);
      changes.push(...judge(moved, () => false).changes);
    }
    expect(changes, `${at}, moved`).toHaveLength(1);
    expect(shown, `${at}, moved`).toContain(changes[0]?.to);
  }
});

test("more than one verdict is allowed only where a failure and a skip race for all_success", () => {
  for (const rule of TRIGGER_RULES) {
    for (const upstream of allUpstreams(ENDS)) {
      const isRace =
        rule === "all_success" &&
        upstream.some(({ state }) => state === "skipped") &&
        upstream.some(({ state }) => state === "failed" || state === "upstream_failed");
      expect(allowedVerdicts(rule, upstream)).toHaveLength(isRace ? 2 : 1);
    }
  }
});
