/// <reference types="node" preserve="true" />
/// <reference path="../../types/text-files.d.ts" preserve="true" />
// The API that authors import from "baram". The runner and the dag-processor import runtime.ts.
export type { Connection, JsonObject, JsonValue, TriggerRule, WeightRule } from "../contracts/index.ts";
export { type Arg, type Template, type Templated, template } from "./args/template.ts";
export { concat, type ListArg, type XComArg, zip } from "./args/xcom-arg.ts";
export type {
  DagCallback,
  DagCallbackContext,
  DagFacts,
  DagsAccess,
  PlatformContext,
  Resumed,
  RunFacts,
  TaskCallback,
  TaskCallbackContext,
  TaskContext,
  TaskFacts,
  TaskInstanceFacts,
  TaskLogger,
  TriggerDagRunRequest,
  VariableOptions,
  XComAccess,
  XComPullOptions,
} from "./context/context.ts";
export { BaseNotifier, type NotifierContext } from "./context/notifier.ts";
export { FailError, SkipError } from "./context/signals.ts";
export { dag } from "./dag/dag.ts";
export type { DagDefinition } from "./dag/dag-definition.ts";
export { type Param, type ParamOptions, type ParamsInput, type ParamValues, param } from "./dag/params.ts";
export { DagDefinitionError, type DefinitionErrorCode } from "./definition-error.ts";
export { chain, crossDownstream } from "./graph/chain.ts";
export type { Link } from "./graph/linkable.ts";
export type { TeardownOptions } from "./graph/task-link.ts";
export type { MapArg, PartialOperator, PartialTask, PartialTaskByName } from "./mapping/mapping-types.ts";
export type { MappedOperator } from "./mapping/partial-operator.ts";
export type { DagOptions } from "./options/dag-options.ts";
export type { SensorOptions } from "./options/sensor-options.ts";
export type { CallbackInput, CommonTaskOptions, TaskOptions } from "./options/task-options.ts";
export {
  type CronOptions,
  cron,
  crons,
  delta,
  type EventsOptions,
  events,
  type Schedule,
  type ScheduleInput,
  type SchedulePreset,
  type TriggerOptions,
} from "./schedule/schedule.ts";
export { type LastTimetableRun, Timetable, type TimetableRestriction, type TimetableRun } from "./schedule/timetable.ts";
export {
  type ArgsOf,
  type AuthorFunction,
  type TaskArgs,
  type TaskFactory,
  type TypedFactories,
  task,
} from "./task/function-task.ts";
export { BaseOperator, type OperatorOptions } from "./task/operator.ts";
export { BaseSensor, type PokeResult } from "./task/sensor.ts";
export { type Collected, type TaskGroup, type TaskGroupFactory, type TaskGroupOptions, taskGroup } from "./task/task-group.ts";
export {
  DateTimeTrigger,
  ExternalTaskTrigger,
  type ExternalTaskTriggerOptions,
  FileTrigger,
  HttpTrigger,
  type HttpTriggerOptions,
  TimeDeltaTrigger,
} from "./trigger/builtin-triggers.ts";
export { type DeferOptions, defer } from "./trigger/defer.ts";
export { registerTrigger } from "./trigger/register-trigger.ts";
export {
  BaseTrigger,
  TaskFailedEvent,
  TaskSkippedEvent,
  TaskSuccessEvent,
  type Trigger,
  type TriggerContext,
  TriggerEvent,
} from "./trigger/trigger.ts";
export type { DurationInput, DurationParts } from "./values/duration.ts";
export type { InstantInput } from "./values/instant.ts";
