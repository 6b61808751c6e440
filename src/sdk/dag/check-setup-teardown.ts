import type { TriggerRule } from "../../contracts/index.ts";
import { DagDefinitionError } from "../definition-error.ts";
import type { DagDraft, Upstreams } from "../graph/types.ts";

/**
 * Applies Airflow's rules (`validate_setup_teardown`). Refused are a task that is both setup and teardown, `onFailureFailDagrun`
 * on a task that is no teardown, and a trigger rule other than all_success on a task after a setup, since the task could then run
 * without the setup.
 * @throws DagDefinitionError SETUP_TEARDOWN_INVALID
 */
export function checkSetupTeardown(draft: DagDraft, upstreams: Upstreams): void {
  for (const { taskId, settings } of draft.nodes.values()) {
    const refuse = (fault: string): never => {
      throw new DagDefinitionError("SETUP_TEARDOWN_INVALID", `DAG "${draft.dagId}": task "${taskId}" ${fault}`, { taskId });
    };
    if (settings.isSetup && settings.isTeardown) refuse("is both a setup and a teardown: make it one of them");
    if (settings.onFailureFailDagrun && !settings.isTeardown) {
      refuse("has onFailureFailDagrun, which is only for teardowns: leave it out, or make the task a teardown");
    }
    if (settings.isTeardown || settings.triggerRule === "all_success") continue;
    const setup = [...(upstreams.get(taskId) ?? [])].find((id) => draft.nodes.get(id)?.settings.isSetup);
    if (setup !== undefined) {
      refuse(
        `comes after the setup "${setup}" with the trigger rule ${settings.triggerRule}: tasks after a setup must have all_success`,
      );
    }
  }
}

const FAIL_FAST_RULES: readonly TriggerRule[] = ["all_success", "all_done_setup_success"];

/**
 * With `failFast` a failure ends the run, so a rule that waits for failures could never be met. Airflow refuses it too.
 * @throws DagDefinitionError DAG_INVALID_OPTION
 */
export function checkFailFastRules(draft: DagDraft): void {
  for (const { taskId, settings } of draft.nodes.values()) {
    if (FAIL_FAST_RULES.includes(settings.triggerRule)) continue;
    throw new DagDefinitionError(
      "DAG_INVALID_OPTION",
      `DAG "${draft.dagId}": failFast allows the trigger rule all_success only, but task "${taskId}" has ${settings.triggerRule}`,
      { taskId, option: "failFast" },
    );
  }
}
