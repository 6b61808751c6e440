import { textFault } from "../../contracts/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import { checkSynchronous } from "../graph/check-synchronous.ts";
import { createDraft } from "../graph/dag-draft.ts";
import { checkLooseEnds } from "../graph/loose-ends.ts";
import { runInDag } from "../graph/scope.ts";
import type { DagDraft } from "../graph/types.ts";
import { placeOf } from "../options/check-option-names.ts";
import { dagDefaults } from "../options/dag-defaults.ts";
import type { DagOptions } from "../options/dag-options.ts";
import { checkDagOptionNames } from "../options/option-names.ts";
import { mergeOptions } from "../options/task-options.ts";
import { checkCallbacks, checkFlag, checkInteger, checkRecord, checkText } from "../options/task-settings.ts";
import { resolveSchedule } from "../schedule/schedule.ts";
import { Timetable } from "../schedule/timetable.ts";
import { sensor, type TypedFactories, task } from "../task/function-task.ts";
import { checkId } from "../values/check-id.ts";
import { type DurationInput, durationToSeconds } from "../values/duration.ts";
import { checkTimezone, type InstantInput, instantToIso } from "../values/instant.ts";
import { checkAcyclic } from "./check-cycle.ts";
import { checkFailFastRules, checkSetupTeardown } from "./check-setup-teardown.ts";
import { DagDefinition } from "./dag-definition.ts";
import { checkScheduledParams, type ParamsInput, type ParamValues, resolveParams } from "./params.ts";
import { registerDag } from "./registry.ts";
import { firstOfGroup, resolveEdges } from "./resolve-edges.ts";

/**
 * Defines a DAG: runs `body` immediately and collects the tasks, groups and edges that it creates. All DAGs that are defined
 * while a file of the DAG folder loads are found, exported or not. The body receives `task` and `sensor`, typed with the DAG's params.
 *
 *     dag({ dagId: "report", params: { limit: 5 } }, ({ task }) => {
 *       task({ taskId: "read" }, (ctx) => ctx.params.limit + 1)(); // ctx.params.limt would be an error
 *     });
 * @throws DagDefinitionError
 */
export function dag<P extends ParamsInput = ParamsInput>(
  options: DagOptions & { params?: P },
  body: (typed: TypedFactories<ParamValues<P>>) => void,
): DagDefinition {
  checkDagOptionNames(placeOf("dag()", "DAG", options?.dagId), options);
  checkId("dagId", options.dagId);
  const timezone = options.timezone ?? dagDefaults().timezone;
  const where = `DAG "${options.dagId}"`;
  checkTimezone(`${where}: timezone`, timezone);
  const draft = createDraft(options.dagId, timezone, mergeOptions({ executor: options.executor }, options.defaultArgs));
  const facts = resolveDagOptions(where, options, timezone);
  if (facts.timetable.type !== "null") checkScheduledParams(where, facts.params, facts.scheduleSummary ?? facts.timetable.type);
  if (typeof body !== "function") throw invalid(where, "the body", body, "the second argument of dag() must be a function");
  checkSynchronous(
    where,
    runInDag(draft, () => body({ task, sensor })),
  );
  checkLooseEnds(draft);
  const upstreams = resolveEdges(draft);
  checkAcyclic(draft.dagId, upstreams);
  checkSetupTeardown(draft, upstreams);
  if (facts.failFast) checkFailFastRules(draft);
  const groupsWithTasks = [...draft.nodes.values()].flatMap((node) => groupsAround(draft, node.taskGroupId));
  const groupRoots = new Map([...new Set(groupsWithTasks)].map((id) => [id, firstOfGroup(draft, upstreams, id)]));
  const definition = new DagDefinition({ ...facts, nodes: draft.nodes, groups: draft.groups, upstreams, groupRoots });
  registerDag(definition);
  return definition;
}

function resolveDagOptions(where: string, options: DagOptions, timezone: string) {
  const { timetable, summary } = resolveSchedule(options.schedule, timezone);
  const continuous = timetable.type === "continuous";
  const defaults = dagDefaults();
  if (continuous && options.maxActiveRuns !== undefined && options.maxActiveRuns !== 1) {
    throw invalid(
      where,
      "maxActiveRuns",
      options.maxActiveRuns,
      "a DAG scheduled @continuous has one run at a time: leave it out or set 1",
    );
  }
  const instant = (name: string, input: InstantInput | undefined) =>
    input === undefined ? null : instantToIso(`${where}: ${name}`, input, timezone);
  const startDate = instant("startDate", options.startDate);
  const endDate = instant("endDate", options.endDate);
  if (startDate !== null && endDate !== null && Date.parse(endDate) < Date.parse(startDate)) {
    throw invalid(where, "endDate", options.endDate, `it must not be before startDate (${startDate})`);
  }
  return {
    dagId: options.dagId,
    displayName: checkText(where, "displayName", options.displayName),
    description: checkText(where, "description", options.description),
    docMd: checkText(where, "docMd", options.docMd),
    tags: checkTags(where, options.tags),
    timezone,
    timetable,
    customTimetable: options.schedule instanceof Timetable ? options.schedule : null,
    scheduleSummary: summary,
    startDate,
    endDate,
    catchup: checkFlag(where, "catchup", options.catchup) ?? defaults.catchup,
    maxActiveRuns: checkInteger(where, "maxActiveRuns", options.maxActiveRuns, 1) ?? (continuous ? 1 : defaults.maxActiveRuns),
    maxActiveTasks: checkInteger(where, "maxActiveTasks", options.maxActiveTasks, 1) ?? defaults.maxActiveTasks,
    maxConsecutiveFailedDagRuns:
      checkInteger(where, "maxConsecutiveFailedDagRuns", options.maxConsecutiveFailedDagRuns, 0) ??
      defaults.maxConsecutiveFailedDagRuns,
    dagrunTimeoutSec: resolveTimeout(where, options.dagrunTimeout),
    failFast: checkFlag(where, "failFast", options.failFast) ?? false,
    isPausedUponCreation: checkFlag(where, "isPausedUponCreation", options.isPausedUponCreation),
    params: resolveParams(options.dagId, checkRecord(where, "params", options.params) ?? {}),
    callbacks: {
      onSuccess: checkCallbacks(where, "onSuccess", options.onSuccess),
      onFailure: checkCallbacks(where, "onFailure", options.onFailure),
    },
  };
}

function resolveTimeout(where: string, input: DurationInput | undefined): number | null {
  if (input === undefined) return null;
  const seconds = durationToSeconds(`${where}: dagrunTimeout`, input);
  if (seconds === 0) throw invalid(where, "dagrunTimeout", input, "it must be above zero");
  return seconds;
}

function checkTags(where: string, tags: readonly string[] | undefined): string[] {
  if (tags === undefined) return [];
  if (!Array.isArray(tags)) throw invalid(where, "tags", tags, 'they must be an array of texts, such as ["daily"]');
  const wrong = tags.find((tag) => typeof tag !== "string" || tag === "" || tag.length > 100 || textFault(tag) !== null);
  if (wrong !== undefined)
    throw invalid(where, "tags", wrong, "a tag is a text of 1 to 100 characters, without U+0000 and halves of surrogate pairs");
  return [...new Set(tags)].sort();
}

function groupsAround(draft: DagDraft, groupId: string | null): string[] {
  const group = groupId === null ? undefined : draft.groups.get(groupId);
  return group === undefined ? [] : [group.groupId, ...groupsAround(draft, group.parentGroupId)];
}

function invalid(where: string, option: string, value: unknown, rule: string): DagDefinitionError {
  return new DagDefinitionError("DAG_INVALID_OPTION", `${where}: ${option} is ${showValue(value)}: ${rule}`, { option, value });
}
