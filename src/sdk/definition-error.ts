import { BaramError } from "../platform/index.ts";

/** The stable codes of all errors in a DAG file. */
const DEFINITION_ERROR_CODES = [
  "DAG_CYCLE",
  "DAG_DUPLICATE_ID",
  "DAG_INVALID_OPTION",
  "DAG_NESTED",
  "DAG_BODY_ASYNC",
  "TASK_DUPLICATE_ID",
  "TASK_ARGUMENT_NOT_JSON",
  "TASK_INVALID_OPTION",
  "TASK_OF_ANOTHER_DAG",
  "TASK_OUTSIDE_DAG",
  "TASK_UNKNOWN_UPSTREAM",
  "TASK_UPSTREAM_OF_ITSELF",
  "FIELD_NOT_TEMPLATED",
  "INVALID_CHAIN",
  "INVALID_DURATION",
  "INVALID_ID",
  "INVALID_INSTANT",
  "INVALID_PARAM",
  "INVALID_SCHEDULE",
  "INVALID_TIMEZONE",
  "MAPPING_INVALID",
  "MAPPING_NESTED",
  "NEVER_CALLED",
  "RESULT_AS_TEXT",
  "SENSOR_NOT_DEFERRABLE",
  "SETUP_TEARDOWN_INVALID",
  "UNKNOWN_OPTION",
  "TRIGGER_INVALID",
  "TRIGGER_OPTIONS_NOT_JSON",
] as const;
export type DefinitionErrorCode = (typeof DEFINITION_ERROR_CODES)[number];

/** An invalid definition in a DAG file: thrown while the file is evaluated, shown as its import error. */
export class DagDefinitionError extends BaramError {
  declare readonly code: DefinitionErrorCode;

  constructor(code: DefinitionErrorCode, message: string, facts: Record<string, unknown> = {}, cause?: unknown) {
    super(code, message, facts, cause);
    this.name = "DagDefinitionError";
  }
}

/** An invalid value as text for a message: short, and never throws. */
export function showValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "function") return `the function ${value.name || "(anonymous)"}`;
  if (typeof value === "object" && value !== null) return `${Array.isArray(value) ? "an array" : className(value)}`;
  return String(value);
}

function className(value: object): string {
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "Object" ? `a ${name}` : "an object";
}
