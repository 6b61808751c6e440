import { expect, test } from "vitest";
import { TRIGGER_RULES, type TriggerRule } from "../../contracts/index.ts";
import { judgeTriggerRule, type UpstreamCounts, type Verdict } from "./trigger-rules.ts";

type State = "success" | "failed" | "skipped" | "upstream_failed" | "removed" | null;
const STATES: State[] = ["success", "failed", "skipped", "upstream_failed", "removed", null];

function countsOf(states: readonly State[], setups: readonly boolean[] = []): UpstreamCounts {
  const counts = {
    total: 0,
    success: 0,
    failed: 0,
    upstreamFailed: 0,
    skipped: 0,
    setupTotal: 0,
    setupSuccess: 0,
    setupSkipped: 0,
  };
  states.forEach((state, index) => {
    if (state === "removed") return;
    counts.total++;
    if (setups[index]) counts.setupTotal++;
    if (state === "success") counts.success++;
    if (state === "failed") counts.failed++;
    if (state === "skipped") counts.skipped++;
    if (state === "upstream_failed") counts.upstreamFailed++;
    if (setups[index] && state === "success") counts.setupSuccess++;
    if (setups[index] && state === "skipped") counts.setupSkipped++;
  });
  return counts;
}

/** The rules as the documentation words them, over the plain list: slow, and written without the counts. */
function reference(rule: TriggerRule, all: readonly State[]): Verdict {
  const states = all.filter((state) => state !== "removed");
  const bad = (state: State) => state === "failed" || state === "upstream_failed";
  const isDone = states.every((state) => state !== null);
  const some = (test: (state: State) => boolean) => states.some(test);
  const every = (test: (state: State) => boolean) => states.every(test);
  switch (rule) {
    case "always":
      return "run";
    case "all_success":
      return some(bad)
        ? "upstream_failed"
        : some((s) => s === "skipped")
          ? "skipped"
          : every((s) => s === "success")
            ? "run"
            : "wait";
    case "all_failed":
      return some((s) => s === "success" || s === "skipped") ? "skipped" : every(bad) ? "run" : "wait";
    case "all_done":
    case "all_done_setup_success":
      return isDone ? "run" : "wait";
    case "all_done_min_one_success":
      return !isDone
        ? "wait"
        : states.length === 0 || some((s) => s === "success")
          ? "run"
          : some(bad)
            ? "upstream_failed"
            : "skipped";
    case "one_success":
      return states.length === 0 || some((s) => s === "success")
        ? "run"
        : !isDone
          ? "wait"
          : every((s) => s === "skipped")
            ? "skipped"
            : "upstream_failed";
    case "one_failed":
      return states.length === 0 || some(bad) ? "run" : isDone ? "skipped" : "wait";
    case "one_done":
      return states.length === 0 || some((s) => s === "success" || s === "failed") ? "run" : isDone ? "skipped" : "wait";
    case "none_failed":
      return some(bad) ? "upstream_failed" : isDone ? "run" : "wait";
    case "none_failed_min_one_success":
      return some(bad)
        ? "upstream_failed"
        : !isDone
          ? "wait"
          : states.length > 0 && every((s) => s === "skipped")
            ? "skipped"
            : "run";
    case "none_skipped":
      return some((s) => s === "skipped") ? "skipped" : isDone ? "run" : "wait";
    case "all_skipped":
      return some((s) => s === "success" || bad(s)) ? "skipped" : isDone ? "run" : "wait";
  }
}

function* combinations(length: number): Generator<State[]> {
  if (length === 0) return void (yield []);
  for (const rest of combinations(length - 1)) for (const state of STATES) yield [...rest, state];
}

test.each(TRIGGER_RULES)("%s agrees with its wording for every mix of up to four upstream states", (rule) => {
  for (let length = 0; length <= 4; length++) {
    for (const states of combinations(length)) {
      expect(judgeTriggerRule(rule, countsOf(states)), `${rule} over ${JSON.stringify(states)}`).toBe(reference(rule, states));
    }
  }
});

test("every rule comes to a verdict once all upstream tasks are done", () => {
  for (const rule of TRIGGER_RULES) {
    for (const states of combinations(3)) {
      if (states.includes(null)) continue;
      expect(judgeTriggerRule(rule, countsOf(states))).not.toBe("wait");
    }
  }
});

test("a teardown runs when a setup succeeded, whatever the work did, and shares the fate of setups that did not", () => {
  const judge = (states: State[], setups: boolean[]) => judgeTriggerRule("all_done_setup_success", countsOf(states, setups));
  expect(judge(["success", "failed"], [true, false])).toBe("run");
  expect(judge(["failed", "upstream_failed"], [true, false])).toBe("upstream_failed");
  expect(judge(["skipped", "skipped"], [true, false])).toBe("skipped");
  expect(judge(["success", null], [true, false])).toBe("wait");
  expect(judge(["failed"], [false])).toBe("run");
});
