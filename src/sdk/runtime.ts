// The second door of the SDK, for the rooms of this package that load and run DAG files; authors do not see it.
export { setDagDefaults } from "./dag-defaults.ts";
export { DagDefinition } from "./dag-definition.ts";
export type { TaskNode } from "./dag-draft.ts";
export { TaskDeferred } from "./defer.ts";
export { durationToSeconds } from "./duration.ts";
export { createFactory, FunctionOperator, type FunctionOptions, FunctionSensor, sensor } from "./function-task.ts";
export { findJsonFault, type JsonFault } from "./json-fault.ts";
export { type Mapping, readDerived, readElement, serializeMapping } from "./mapping.ts";
export { type MappingFacts, mappingFactsOf } from "./mapping-facts.ts";
export { planTimetable } from "./plan-timetable.ts";
export { collectDags, triggersOf } from "./registry.ts";
export { BaseSensor, type SensorTiming } from "./sensor.ts";
export { serializeDag } from "./serialize-dag.ts";
export type { TaskCallbackName } from "./task-settings.ts";
export { Template } from "./template.ts";
export { classpathOf, type TriggerClass } from "./trigger.ts";
export { isPlainObject } from "./walk-value.ts";
export { DerivedArg, MapElement, RETURN_VALUE_KEY, XComArg } from "./xcom-arg.ts";
