import { createGroupPath, ID_RULE, isValidId, type SerializedDag } from "../contracts/index.ts";
import { BaramError, toError } from "../platform/index.ts";
import { restrictionOf, validateTimetable } from "../timetables/index.ts";
import { checkMappings } from "./check-mappings.ts";
import type { DagProblem } from "./dag-problem.ts";
import { describeCycle, findCycle } from "./graph.ts";

/** Limits the load that one DAG file can put on the scheduler, the database and the UI. */
export const MAX_TASKS_PER_DAG = 100_000;

/** All problems of a DAG that can be found in its contract form, in a fixed order; empty = valid. */
export function validateDag(dag: SerializedDag): DagProblem[] {
  if (dag.tasks.length > MAX_TASKS_PER_DAG) return [tooManyTasks(dag)];
  const problems = [
    ...checkIds(dag),
    ...checkDuplicates(dag),
    ...checkReferences(dag),
    ...checkGroups(dag),
    ...checkMappings(dag),
    ...checkSchedule(dag),
  ];
  const cycle = findCycle(dag);
  if (cycle) {
    problems.push({
      code: "cycle",
      message: `DAG "${dag.dagId}" has a cycle: ${describeCycle(cycle)}`,
      taskId: cycle[0] ?? null,
    });
  }
  return problems;
}

/** Throws the problems of `validateDag` as one error with code `dag_invalid` and `facts.problems`. */
export function assertValidDag(dag: SerializedDag): void {
  const problems = validateDag(dag);
  const [first] = problems;
  if (!first) return;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more problem(s) of this DAG)` : "";
  throw new BaramError("dag_invalid", first.message + more, { dagId: dag.dagId, problems });
}

function tooManyTasks(dag: SerializedDag): DagProblem {
  const message = `DAG "${dag.dagId}" has ${dag.tasks.length} tasks, more than the ${MAX_TASKS_PER_DAG} allowed: split it`;
  return { code: "too_many_tasks", message, taskId: null };
}

function checkIds(dag: SerializedDag): DagProblem[] {
  const bad: DagProblem[] = [];
  if (!isValidId(dag.dagId)) bad.push(invalidId(`DAG id "${dag.dagId.slice(0, 300)}"`, null));
  for (const { taskId } of dag.tasks) {
    if (!isValidId(taskId)) bad.push(invalidId(`DAG "${dag.dagId}": task id "${taskId.slice(0, 300)}"`, taskId));
  }
  return bad;
}

function invalidId(what: string, taskId: string | null): DagProblem {
  return { code: "invalid_id", message: `${what} must be made of ${ID_RULE}`, taskId };
}

function checkDuplicates(dag: SerializedDag): DagProblem[] {
  const seen = new Set<string>();
  return dag.tasks.flatMap(({ taskId }): DagProblem[] => {
    if (!seen.has(taskId)) {
      seen.add(taskId);
      return [];
    }
    return [{ code: "duplicate_task", message: `DAG "${dag.dagId}" has two tasks named "${taskId}"`, taskId }];
  });
}

function checkReferences(dag: SerializedDag): DagProblem[] {
  const tasks = new Set(dag.tasks.map((task) => task.taskId));
  const groups = new Set(dag.taskGroups.map((group) => group.groupId));
  return dag.tasks.flatMap((task): DagProblem[] => {
    const where = `DAG "${dag.dagId}": task "${task.taskId}"`;
    const { taskId } = task;
    const found: DagProblem[] = [];
    for (const id of task.upstream.filter((upstreamId) => !tasks.has(upstreamId))) {
      found.push({ code: "unknown_upstream", message: `${where} comes after "${id}", which is no task of this DAG`, taskId });
    }
    for (const input of task.inputs.filter((entry) => !tasks.has(entry.taskId))) {
      const message = `${where} reads the result of "${input.taskId}", which is no task of this DAG`;
      found.push({ code: "unknown_input", message, taskId });
    }
    if (task.taskGroupId !== null && !groups.has(task.taskGroupId)) {
      found.push({ code: "unknown_task_group", message: `${where} is in the unknown task group "${task.taskGroupId}"`, taskId });
    }
    return found;
  });
}

function checkGroups(dag: SerializedDag): DagProblem[] {
  const where = `DAG "${dag.dagId}": task group`;
  const pathOf = createGroupPath(dag.taskGroups);
  const seen = new Set<string>();
  const known = new Set(dag.taskGroups.map((group) => group.groupId));
  return dag.taskGroups.flatMap(({ groupId, parentGroupId }): DagProblem[] => {
    const problem = (message: string): DagProblem[] => [
      { code: "invalid_task_group", message: `${where} ${message}`, taskId: null },
    ];
    if (seen.has(groupId)) return problem(`"${groupId}" is there twice`);
    seen.add(groupId);
    if (parentGroupId === null) return [];
    if (!known.has(parentGroupId)) return problem(`"${groupId}" is in the unknown task group "${parentGroupId}"`);
    // A path that does not end outside of all groups is a circle.
    const outermost = pathOf(groupId).at(-1);
    const isCircle = dag.taskGroups.some(
      (group) => group.groupId === outermost && group.parentGroupId !== null && known.has(group.parentGroupId),
    );
    return isCircle ? problem(`"${groupId}" is inside of itself`) : [];
  });
}

function checkSchedule(dag: SerializedDag): DagProblem[] {
  const problem = validateTimetable(dag.timetable);
  if (problem) return [{ code: "invalid_schedule", message: `DAG "${dag.dagId}": ${problem}`, taskId: null }];
  try {
    restrictionOf(dag);
    return [];
  } catch (error) {
    return [{ code: "invalid_dates", message: `DAG "${dag.dagId}": ${toError(error).message}`, taskId: null }];
  }
}
