// The SDK's internal API, for the parts of this package that load and run DAG files. Authors do not use it.

export { Template } from "./args/template.ts";
export type { MustTravel } from "./args/travels.ts";
export { isPlainObject } from "./args/walk-value.ts";
export { DerivedArg, MapElement, RETURN_VALUE_KEY, XComArg } from "./args/xcom-arg.ts";
export { DagDefinition } from "./dag/dag-definition.ts";
export { collectDags, looseEndsOf, triggersOf } from "./dag/registry.ts";
export { serializeDag } from "./dag/serialize-dag.ts";
export type { Mapping, TaskNode } from "./graph/types.ts";
export { readDerived, readElement, serializeMapping } from "./mapping/mapping.ts";
export { type MappingFacts, mappingFactsOf } from "./mapping/mapping-facts.ts";
export { setDagDefaults } from "./options/dag-defaults.ts";
export type { TaskCallbackName } from "./options/task-settings.ts";
export { planTimetable } from "./schedule/plan-timetable.ts";
export { createFactory, FunctionOperator, type FunctionOptions, FunctionSensor, sensor } from "./task/function-task.ts";
export { BaseSensor, type SensorTiming } from "./task/sensor.ts";
export { TaskDeferred } from "./trigger/defer.ts";
export { classpathOf } from "./trigger/register-trigger.ts";
export type { TriggerClass } from "./trigger/trigger.ts";
export { durationToSeconds } from "./values/duration.ts";
export { findJsonFault, type JsonFault } from "./values/json-fault.ts";
