import type { TriggerRule } from "../../contracts/index.ts";

/**
 * Upstream task instances by state. `total` excludes removed ones, which neither block nor release a task. `setup…` count only the
 * upstream setup tasks.
 */
export type UpstreamCounts = {
  total: number;
  success: number;
  failed: number;
  upstreamFailed: number;
  skipped: number;
  setupTotal: number;
  setupSuccess: number;
  setupSkipped: number;
};

/** `run`: the rule is met; `wait`: it may still be met; otherwise the state the task gets without running. */
export type Verdict = "run" | "wait" | "skipped" | "upstream_failed";

/**
 * Airflow's trigger rules (`TriggerRuleDep`), one exhaustive switch. The verdict is returned as soon as it is certain: one failed
 * upstream decides all_success while its siblings still run.
 */
export function judgeTriggerRule(rule: TriggerRule, up: UpstreamCounts): Verdict {
  const failures = up.failed + up.upstreamFailed;
  const allDone = up.success + failures + up.skipped >= up.total;
  switch (rule) {
    case "always":
      return "run";
    case "all_success":
      if (failures > 0) return "upstream_failed";
      if (up.skipped > 0) return "skipped";
      return up.success >= up.total ? "run" : "wait";
    case "all_failed":
      if (up.success > 0 || up.skipped > 0) return "skipped";
      return failures >= up.total ? "run" : "wait";
    case "all_done":
      return allDone ? "run" : "wait";
    case "all_done_min_one_success":
      if (!allDone) return "wait";
      if (up.total === 0 || up.success > 0) return "run";
      return failures > 0 ? "upstream_failed" : "skipped";
    case "all_done_setup_success":
      if (!allDone) return "wait";
      if (up.setupTotal === 0 || up.setupSuccess > 0) return "run";
      return up.setupSkipped >= up.setupTotal ? "skipped" : "upstream_failed";
    case "one_success":
      if (up.success > 0 || up.total === 0) return "run";
      if (!allDone) return "wait";
      return up.skipped >= up.total ? "skipped" : "upstream_failed";
    case "one_failed":
      if (failures > 0 || up.total === 0) return "run";
      return allDone ? "skipped" : "wait";
    case "one_done":
      if (up.success + up.failed > 0 || up.total === 0) return "run";
      return allDone ? "skipped" : "wait";
    case "none_failed":
      if (failures > 0) return "upstream_failed";
      return allDone ? "run" : "wait";
    case "none_failed_min_one_success":
      if (failures > 0) return "upstream_failed";
      if (!allDone) return "wait";
      return up.total > 0 && up.skipped >= up.total ? "skipped" : "run";
    case "none_skipped":
      if (up.skipped > 0) return "skipped";
      return allDone ? "run" : "wait";
    case "all_skipped":
      if (up.success > 0 || failures > 0) return "skipped";
      return allDone ? "run" : "wait";
  }
}
