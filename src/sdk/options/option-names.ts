import { checkOptionNames, type KnownOptions } from "./check-option-names.ts";
import { DAG_OPTION_NAMES, type DagOptions } from "./dag-options.ts";
import { declaredOptions, type OptionClass } from "./declared-options.ts";
import { LACKING_OF_DAGS, LACKING_OF_OPEN_CLASSES, LACKING_OF_TASKS } from "./lacking-options.ts";
import { SENSOR_OPTION_NAMES } from "./sensor-options.ts";
import { COMMON_TASK_OPTION_NAMES, type CommonTaskOptions, TASK_OPTION_NAMES } from "./task-options.ts";

// Airflow's names that differ from Baram's in more than `snake_case`.
const RENAMED_OF_DAGS: Readonly<Record<string, string>> = {
  scheduleinterval: "schedule",
  timetable: "schedule",
  cron: "schedule",
  concurrency: "maxActiveTasks",
  dagdisplayname: "displayName",
  onsuccesscallback: "onSuccess",
  onfailurecallback: "onFailure",
  failstop: "failFast",
};
const RENAMED_OF_TASKS: Readonly<Record<string, string>> = {
  onexecutecallback: "onExecute",
  onsuccesscallback: "onSuccess",
  onfailurecallback: "onFailure",
  onretrycallback: "onRetry",
  onskippedcallback: "onSkipped",
  taskconcurrency: "maxActiveTisPerDag",
  taskdisplayname: "displayName",
  xcompush: "doXcomPush",
  deferrable: "mode",
};

/** Likely mistakes that are not Airflow's names. A class may have an option with such a name itself. */
const GUESSED_OF_TASKS: Readonly<Record<string, string>> = { retry: "retries", doc: "docMd" };

const OF_DAGS = {
  names: DAG_OPTION_NAMES.filter((name) => !TASK_OPTION_NAMES.includes(name)),
  hint: () => "an option of dag()",
};
const OF_SENSORS = { names: SENSOR_OPTION_NAMES, hint: () => "an option of sensors" };
const OF_TASKS = {
  names: COMMON_TASK_OPTION_NAMES,
  hint: (name: string) => `an option of tasks: give it to each, or to all by defaultArgs: { ${name}: … }`,
};

/** @throws DagDefinitionError UNKNOWN_OPTION */
export function checkDagOptionNames(where: string, options: DagOptions): void {
  checkOptionNames(where, options, {
    names: DAG_OPTION_NAMES,
    renamed: RENAMED_OF_DAGS,
    lacking: LACKING_OF_DAGS,
    elsewhere: [OF_TASKS],
  });
  checkDefaultArgs(where, options.defaultArgs);
}

/**
 * Only the options of every task can have defaults here, so others are refused. Airflow passes an operator's own option to the
 * tasks that accept it, and silently ignores the rest, including misspelled ones.
 * @throws DagDefinitionError UNKNOWN_OPTION
 */
export function checkDefaultArgs(where: string, given: CommonTaskOptions | undefined): void {
  if (given === undefined) return;
  checkOptionNames(`${where}: defaultArgs`, given, {
    names: COMMON_TASK_OPTION_NAMES,
    renamed: { ...RENAMED_OF_TASKS, ...GUESSED_OF_TASKS },
    lacking: LACKING_OF_TASKS,
    elsewhere: [
      OF_DAGS,
      { names: SENSOR_OPTION_NAMES, hint: () => "an option of sensors: give it to each of them" },
      { names: ["taskId"], hint: () => "each task has its own" },
    ],
  });
}

const knownOf = new WeakMap<object, KnownOptions>();

function knownTaskOptions(operator: OptionClass): KnownOptions {
  const found = knownOf.get(operator);
  if (found !== undefined) return found;
  const { names, isOpen } = declaredOptions(operator);
  const renamed = isOpen ? RENAMED_OF_TASKS : { ...RENAMED_OF_TASKS, ...GUESSED_OF_TASKS };
  const lacking = isOpen ? LACKING_OF_OPEN_CLASSES : LACKING_OF_TASKS;
  const known = { names: [...TASK_OPTION_NAMES, ...names], renamed, lacking, elsewhere: [OF_DAGS, OF_SENSORS], isOpen };
  knownOf.set(operator, known);
  return known;
}

/**
 * Refuses options that are neither options of every task nor declared by the operator's class.
 * @throws DagDefinitionError UNKNOWN_OPTION
 */
export function checkTaskOptionNames(where: string, options: object, operator: OptionClass): void {
  checkOptionNames(where, options, knownTaskOptions(operator));
}

/** Like `checkTaskOptionNames`, for a function task, whose function and arguments are not given as options. */
export function checkFactoryOptionNames(where: string, options: object, operator: OptionClass): void {
  const known = knownTaskOptions(operator);
  checkOptionNames(where, options, { ...known, names: known.names.filter((name) => name !== "fn" && name !== "args") });
}
