import type { DagCallback } from "../context/context.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";
import { createDraft } from "../graph/dag-draft.ts";
import { runInDag } from "../graph/scope.ts";
import type { DagDraft } from "../graph/types.ts";
import { dagDefaults } from "../options/dag-defaults.ts";
import { type CallbackInput, type CommonTaskOptions, mergeOptions } from "../options/task-options.ts";
import { checkCallbacks, checkInteger, checkText } from "../options/task-settings.ts";
import { resolveSchedule, type ScheduleInput } from "../schedule/schedule.ts";
import { Timetable } from "../schedule/timetable.ts";
import { checkId } from "../values/check-id.ts";
import { type DurationInput, durationToSeconds } from "../values/duration.ts";
import { checkTimezone, type InstantInput, instantToIso } from "../values/instant.ts";
import { checkAcyclic } from "./check-cycle.ts";
import { checkFailFastRules, checkSetupTeardown } from "./check-setup-teardown.ts";
import { DagDefinition } from "./dag-definition.ts";
import { type ParamsInput, resolveParams } from "./params.ts";
import { registerDag } from "./registry.ts";
import { firstOfGroup, resolveEdges } from "./resolve-edges.ts";

export type DagOptions = {
  /** Letters, digits, `_`, `.`, `-`; 1 to 250. */
  dagId: string;
  /** Default null: the DAG runs only when triggered. */
  schedule?: ScheduleInput;
  startDate?: InstantInput;
  endDate?: InstantInput;
  /** IANA zone of the schedule and of instants written without one. Default: the installation's, "UTC" unless set. */
  timezone?: string;
  /** Run the schedule's past points, too. Default: the installation's, false unless set. */
  catchup?: boolean;
  displayName?: string;
  description?: string;
  /** Markdown. */
  docMd?: string;
  tags?: readonly string[];
  /** Default: the installation's, 16 unless set; 1 for @continuous. */
  maxActiveRuns?: number;
  /** In each run of the DAG, as in Airflow 3. Default: the installation's, 16 unless set. */
  maxActiveTasks?: number;
  /** Pause the DAG after so many failed runs in a row; 0 = never. Default: the installation's, 0 unless set. */
  maxConsecutiveFailedDagRuns?: number;
  dagrunTimeout?: DurationInput;
  /** As soon as a task fails for good, what runs is failed and the rest skipped, save teardowns. Needs all_success everywhere. */
  failFast?: boolean;
  isPausedUponCreation?: boolean;
  params?: ParamsInput;
  /** Options for every task that does not set them itself. */
  defaultArgs?: CommonTaskOptions;
  /** Default executor of the tasks. */
  executor?: string;
  onSuccess?: CallbackInput<DagCallback>;
  onFailure?: CallbackInput<DagCallback>;
};

/**
 * Defines a DAG: runs `body` at once, and collects the tasks, groups and edges that it creates. Every DAG defined while
 * a file of the DAG folder loads is found, exported or not.
 * @throws DagDefinitionError
 */
export function dag(options: DagOptions, body: () => void): DagDefinition {
  checkId("dagId", options.dagId);
  const timezone = options.timezone ?? dagDefaults().timezone;
  const where = `DAG "${options.dagId}"`;
  checkTimezone(`${where}: timezone`, timezone);
  const draft = createDraft(options.dagId, timezone, mergeOptions({ executor: options.executor }, options.defaultArgs));
  const facts = resolveDagOptions(where, options, timezone);
  checkSynchronous(where, runInDag(draft, body));
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
    tags: checkTags(where, options.tags ?? []),
    timezone,
    timetable,
    customTimetable: options.schedule instanceof Timetable ? options.schedule : null,
    scheduleSummary: summary,
    startDate,
    endDate,
    catchup: options.catchup ?? defaults.catchup,
    maxActiveRuns: checkInteger(where, "maxActiveRuns", options.maxActiveRuns, 1) ?? (continuous ? 1 : defaults.maxActiveRuns),
    maxActiveTasks: checkInteger(where, "maxActiveTasks", options.maxActiveTasks, 1) ?? defaults.maxActiveTasks,
    maxConsecutiveFailedDagRuns:
      checkInteger(where, "maxConsecutiveFailedDagRuns", options.maxConsecutiveFailedDagRuns, 0) ??
      defaults.maxConsecutiveFailedDagRuns,
    dagrunTimeoutSec: resolveTimeout(where, options.dagrunTimeout),
    failFast: options.failFast ?? false,
    isPausedUponCreation: options.isPausedUponCreation ?? null,
    params: resolveParams(options.dagId, options.params ?? {}),
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

function checkTags(where: string, tags: readonly string[]): string[] {
  const wrong = tags.find((tag) => typeof tag !== "string" || tag === "" || tag.length > 100);
  if (wrong !== undefined) throw invalid(where, "tags", wrong, "a tag is a text of 1 to 100 characters");
  return [...new Set(tags)].sort();
}

function checkSynchronous(where: string, returned: unknown): void {
  if (typeof returned !== "object" || returned === null || !("then" in returned)) return;
  throw new DagDefinitionError(
    "DAG_BODY_ASYNC",
    `${where}: its body is async. The body only says which tasks there are: make it synchronous, await before dag() or inside a task`,
  );
}

function groupsAround(draft: DagDraft, groupId: string | null): string[] {
  const group = groupId === null ? undefined : draft.groups.get(groupId);
  return group === undefined ? [] : [group.groupId, ...groupsAround(draft, group.parentGroupId)];
}

function invalid(where: string, option: string, value: unknown, rule: string): DagDefinitionError {
  return new DagDefinitionError("DAG_INVALID_OPTION", `${where}: ${option} is ${showValue(value)}: ${rule}`, { option, value });
}
