// What an author imports from "baram". The runner's and the dag-processor's door is runtime.ts.
export type { Connection, JsonObject, JsonValue, TriggerRule, WeightRule } from "../contracts/index.ts";
export {
  DateTimeTrigger,
  ExternalTaskTrigger,
  type ExternalTaskTriggerOptions,
  FileTrigger,
  HttpTrigger,
  type HttpTriggerOptions,
  TimeDeltaTrigger,
} from "./builtin-triggers.ts";
export { chain, crossDownstream } from "./chain.ts";
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
} from "./context.ts";
export { type DagOptions, dag } from "./dag.ts";
export type { DagDefinition } from "./dag-definition.ts";
export { type DeferOptions, defer } from "./defer.ts";
export { DagDefinitionError, type DefinitionErrorCode } from "./definition-error.ts";
export type { DurationInput, DurationParts } from "./duration.ts";
export { type TaskArgs, type TaskFactory, task } from "./function-task.ts";
export type { InstantInput } from "./instant.ts";
export type { Link } from "./linkable.ts";
export type { MapArg, PartialOperator, PartialTask, PartialTaskByName } from "./mapping-types.ts";
export { BaseNotifier, type NotifierContext } from "./notifier.ts";
export { BaseOperator, type OperatorOptions } from "./operator.ts";
export { type Param, type ParamOptions, type ParamsInput, param } from "./params.ts";
export type { MappedOperator } from "./partial-operator.ts";
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
} from "./schedule.ts";
export { BaseSensor, type PokeResult, type SensorOptions } from "./sensor.ts";
export { FailError, SkipError } from "./signals.ts";
export { type Collected, type TaskGroup, type TaskGroupFactory, type TaskGroupOptions, taskGroup } from "./task-group.ts";
export type { TeardownOptions } from "./task-link.ts";
export type { CallbackInput, CommonTaskOptions, TaskOptions } from "./task-options.ts";
export { type Arg, type Template, type Templated, template } from "./template.ts";
export { type LastTimetableRun, Timetable, type TimetableRestriction, type TimetableRun } from "./timetable.ts";
export {
  BaseTrigger,
  registerTrigger,
  TaskFailedEvent,
  TaskSkippedEvent,
  TaskSuccessEvent,
  type Trigger,
  type TriggerContext,
  TriggerEvent,
} from "./trigger.ts";
export { concat, type ListArg, type XComArg, zip } from "./xcom-arg.ts";
