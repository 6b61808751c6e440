// The API that authors import from "baram/operators".

export { sensor } from "../sdk/runtime.ts";
export { BashOperator, type BashOptions } from "./bash/bash-operator.ts";
export { BaseBranchOperator } from "./branch/base-branch-operator.ts";
export { BranchOperator, type BranchOptions, branch } from "./branch/branch-operator.ts";
export type { BranchChoice } from "./branch/follow-branch.ts";
export { EmailOperator } from "./email/email-operator.ts";
export { EmptyOperator } from "./empty/empty-operator.ts";
export { type ExternalTaskOptions, ExternalTaskSensor } from "./external-task/external-task-sensor.ts";
export { FileSensor, type FileSensorOptions } from "./file-sensor/file-sensor.ts";
export { LatestOnlyOperator } from "./latest-only/latest-only-operator.ts";
export { ShortCircuitOperator, type ShortCircuitOptions, shortCircuit } from "./short-circuit/short-circuit-operator.ts";
export { TimeDeltaSensor, TimeSensor } from "./time-sensor/time-sensor.ts";
export { TriggerDagRunOperator, type TriggerDagRunOptions } from "./trigger-dag-run/trigger-dag-run-operator.ts";
