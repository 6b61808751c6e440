import type { JsonValue } from "../../contracts/index.ts";
import type { XComPullOptions } from "../../sdk/index.ts";
import { RETURN_VALUE_KEY } from "../../sdk/runtime.ts";
import type { RunnerContext } from "../wire/index.ts";
import type { RunnerCaller } from "./runner-caller.ts";

export type XComReader = (taskId: string, options?: XComPullOptions) => Promise<JsonValue>;

/**
 * Reads XComs for one try: those that came along with its start cost no call. One that is missing is null, as Airflow's
 * None: the task pushed nothing, was skipped, or has not run.
 */
export function createXComReader(context: RunnerContext, caller: RunnerCaller): XComReader {
  const { dagRun } = context;
  return async (taskId, options = {}) => {
    const { key = RETURN_VALUE_KEY, dagId = dagRun.dagId, runId = dagRun.runId, mapIndex = -1 } = options;
    if (dagId === dagRun.dagId && runId === dagRun.runId) {
      const carried = context.inputs.find((input) => input.taskId === taskId && input.key === key && input.mapIndex === mapIndex);
      if (carried !== undefined) return carried.value;
    }
    const includePriorDates = options.includePriorDates ?? false;
    const answer = await caller.call("getXcom", { dagId, runId, taskId, key, mapIndex, includePriorDates });
    return answer.found ? answer.value : null;
  };
}
