import {
  type JsonObject,
  type JsonValue,
  SERIALIZED_DAG_VERSION,
  type SerializedDag,
  type SerializedTask,
} from "../../contracts/index.ts";
import { replacePlaceholders } from "../args/walk-value.ts";
import { XComArg } from "../args/xcom-arg.ts";
import type { TaskNode } from "../graph/types.ts";
import { resultsInElements, serializeMapping } from "../mapping/mapping.ts";
import { findJsonFault } from "../values/json-fault.ts";
import type { DagDefinition } from "./dag-definition.ts";
import { templatedXComArgs } from "./resolve-edges.ts";

/**
 * The contract form of a DAG, with all defaults filled in and all lists sorted: the same file gives the same bytes. The
 * dag-processor validates cron expressions, with the parser that schedules them.
 */
export function serializeDag(dag: DagDefinition): SerializedDag {
  const { nodes, groups, upstreams, groupRoots: _roots, customTimetable: _timetable, callbacks, ...facts } = dag.facts;
  const tasks = [...nodes.values()].sort((left, right) => compare(left.taskId, right.taskId));
  return {
    schemaVersion: SERIALIZED_DAG_VERSION,
    ...facts,
    tags: [...facts.tags],
    params: { ...facts.params },
    owners: [...new Set(tasks.map((node) => node.settings.owner))].sort(),
    hasOnSuccessCallback: callbacks.onSuccess.length > 0,
    hasOnFailureCallback: callbacks.onFailure.length > 0,
    tasks: tasks.map((node) => serializeTask(node, upstreams.get(node.taskId) ?? new Set())),
    taskGroups: [...groups.values()]
      .sort((left, right) => compare(left.groupId, right.groupId))
      .map(({ groupId, parentGroupId, label, tooltip, mapping }) => ({
        groupId,
        parentGroupId,
        label,
        tooltip,
        mapping: serializeMapping(mapping),
      })),
  };
}

function serializeTask(node: TaskNode, upstream: ReadonlySet<string>): SerializedTask {
  const { callbacks, doXcomPush: _push, multipleOutputs: _multiple, mapIndexTemplate: _label, ...settings } = node.settings;
  const has = (name: keyof typeof callbacks) => callbacks[name].length > 0;
  return {
    taskId: node.taskId,
    operator: node.operatorName,
    kind: node.kind,
    // An empty task needs a process only for these callbacks: it never fails or retries, so the others are never called.
    isEmpty: node.doesNothing && !has("onExecute") && !has("onSuccess") && !has("onSkipped"),
    upstream: [...upstream].sort(),
    inputs: inputsOf(node),
    mapping: serializeMapping(node.mapping),
    taskGroupId: node.taskGroupId,
    ...settings,
    sensorMode: node.sensorMode,
    templateFields: [...node.templateFields],
    templateFieldValues: fieldsForDisplay(node),
    callbacks: {
      onExecute: has("onExecute"),
      onSuccess: has("onSuccess"),
      onFailure: has("onFailure"),
      onRetry: has("onRetry"),
      onSkipped: has("onSkipped"),
    },
  };
}

function inputsOf(node: TaskNode): SerializedTask["inputs"] {
  const args = templatedXComArgs(node);
  if (node.mapping !== null) args.push(...resultsInElements(node.mapping));
  const byName = new Map(args.flatMap((arg) => arg.inputs()).map(({ taskId, key }) => [`${taskId} ${key}`, { taskId, key }]));
  return [...byName.entries()].sort(([left], [right]) => compare(left, right)).map(([, input]) => input);
}

function fieldsForDisplay(node: TaskNode): JsonObject {
  const options = node.options as Record<string, unknown>;
  const fields: JsonObject = {};
  for (const field of node.templateFields) {
    const shown = replacePlaceholders(options[field], (each) => (each instanceof XComArg ? each.describe() : each.source));
    if (shown !== undefined && findJsonFault(shown) === undefined) fields[field] = shown as JsonValue;
  }
  return fields;
}

/** By code units: the order of a collation would depend on the machine. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
