import type { TriggerRule } from "../../src/contracts/index.ts";
import type { State } from "./world.ts";

/** `wait`, `run`, or the state that the instance gets without running. */
export type ModelVerdict = "wait" | "run" | "skipped" | "upstream_failed";
export type Upstream = { state: State; isSetup: boolean };

/**
 * The trigger rules as in docs/dag-authoring.md, over the plain list of upstream instances. Several decisions are allowed if the
 * result depends on which upstream ended first: `all_success` after a failure and a skip.
 */
export function allowedVerdicts(rule: TriggerRule, upstream: readonly Upstream[]): ModelVerdict[] {
  // Removed instances neither block a task nor let it run.
  const all = upstream.filter(({ state }) => state !== "removed");
  if (all.length === 0) return ["run"];
  const number = (...states: State[]) => all.filter(({ state }) => states.includes(state)).length;
  const succeeded = number("success");
  const failed = number("failed", "upstream_failed");
  const skipped = number("skipped");
  const haveAllEnded = succeeded + failed + skipped === all.length;
  const areAll = (count: number) => count === all.length;

  switch (rule) {
    case "always":
      return ["run"];
    case "all_success":
      if (failed > 0 && skipped > 0) return ["upstream_failed", "skipped"];
      if (failed > 0) return ["upstream_failed"];
      if (skipped > 0) return ["skipped"];
      return areAll(succeeded) ? ["run"] : ["wait"];
    case "all_failed":
      if (succeeded + skipped > 0) return ["skipped"];
      return areAll(failed) ? ["run"] : ["wait"];
    case "all_skipped":
      if (succeeded + failed > 0) return ["skipped"];
      return areAll(skipped) ? ["run"] : ["wait"];
    case "all_done":
      return haveAllEnded ? ["run"] : ["wait"];
    case "all_done_min_one_success":
      if (!haveAllEnded) return ["wait"];
      if (succeeded > 0) return ["run"];
      return areAll(skipped) ? ["skipped"] : ["upstream_failed"];
    case "all_done_setup_success": {
      if (!haveAllEnded) return ["wait"];
      const setups = all.filter(({ isSetup }) => isSetup);
      if (setups.length === 0 || setups.some(({ state }) => state === "success")) return ["run"];
      return setups.every(({ state }) => state === "skipped") ? ["skipped"] : ["upstream_failed"];
    }
    case "one_success":
      if (succeeded > 0) return ["run"];
      if (!haveAllEnded) return ["wait"];
      return areAll(skipped) ? ["skipped"] : ["upstream_failed"];
    case "one_failed":
      if (failed > 0) return ["run"];
      return haveAllEnded ? ["skipped"] : ["wait"];
    case "one_done":
      // An upstream_failed task does not count as done.
      if (succeeded + number("failed") > 0) return ["run"];
      return haveAllEnded ? ["skipped"] : ["wait"];
    case "none_failed":
      if (failed > 0) return ["upstream_failed"];
      return haveAllEnded ? ["run"] : ["wait"];
    case "none_failed_min_one_success":
      if (failed > 0) return ["upstream_failed"];
      if (!haveAllEnded) return ["wait"];
      return areAll(skipped) ? ["skipped"] : ["run"];
    case "none_skipped":
      if (skipped > 0) return ["skipped"];
      return haveAllEnded ? ["run"] : ["wait"];
  }
}
