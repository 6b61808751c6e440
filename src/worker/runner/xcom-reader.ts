import type { JsonValue } from "../../contracts/index.ts";
import type { DagDefinition, XComPullOptions } from "../../sdk/index.ts";
import { mappingFactsOf, RETURN_VALUE_KEY } from "../../sdk/runtime.ts";
import type { RunnerContext } from "../wire/index.ts";
import type { RunnerCaller } from "./runner-caller.ts";

export type XComReader = (taskId: string, options?: XComPullOptions) => Promise<JsonValue>;

/**
 * Reads XComs for one try: small ones arrived with its start and need no call, larger lists are read in pages. A missing one is
 * null, as Airflow's None: the task pushed nothing, was skipped, or has not run. Of a mapped task it is the list of all its
 * instances' values, unless the reader is in the same mapped group: then its own instance's.
 */
export function createXComReader(
  reader: { dag: DagDefinition; taskId: string; mapIndex: number },
  context: RunnerContext,
  caller: RunnerCaller,
): XComReader {
  const { dagRun } = context;
  const mapping = mappingFactsOf(reader.dag);
  return async (taskId, options = {}) => {
    const { key = RETURN_VALUE_KEY, dagId = dagRun.dagId, runId = dagRun.runId } = options;
    const isHere = dagId === dagRun.dagId;
    let { mapIndex } = options;
    if (mapIndex === undefined && isHere && mapping.mappingOf(taskId) !== null) {
      if (!mapping.areTogether(taskId, reader.taskId)) return readAll(context, caller, { dagId, runId, taskId, key }, options);
      mapIndex = reader.mapIndex;
    }
    mapIndex ??= -1;
    if (dagId === dagRun.dagId && runId === dagRun.runId) {
      const carried = context.inputs.find((input) => input.taskId === taskId && input.key === key && input.mapIndex === mapIndex);
      if (carried !== undefined) return carried.value;
    }
    const includePriorDates = options.includePriorDates ?? false;
    const answer = await caller.call("getXcom", { dagId, runId, taskId, key, mapIndex, includePriorDates });
    return answer.found ? answer.value : null;
  };
}

async function readAll(
  context: RunnerContext,
  caller: RunnerCaller,
  ref: { dagId: string; runId: string; taskId: string; key: string },
  options: XComPullOptions,
): Promise<JsonValue[]> {
  const carried = context.inputs.filter((input) => input.taskId === ref.taskId && input.key === ref.key && input.mapIndex >= 0);
  if (carried.length > 0 && ref.runId === context.dagRun.runId) {
    return carried.sort((left, right) => left.mapIndex - right.mapIndex).map((input) => input.value);
  }
  const values: JsonValue[] = [];
  let place = { runId: ref.runId, after: null as number | null, includePriorDates: options.includePriorDates ?? false };
  for (;;) {
    const page = await caller.call("getXcomPage", { ...ref, ...place });
    for (const value of page.values) values.push(value);
    if (page.next === null) return values;
    place = { ...page.next, includePriorDates: false };
  }
}
