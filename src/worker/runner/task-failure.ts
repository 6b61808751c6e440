import { cutText, ERROR_NAME_MAX, SHOWN_TEXT_MAX, type TaskError } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";
import { authorStack } from "./author-stack.ts";

/** One execution took longer than its `executionTimeout`. */
export class TaskTimeoutError extends BaramError {
  constructor(timeoutSec: number) {
    super("TASK_TIMEOUT", `the task took longer than its executionTimeout of ${timeoutSec} s`, { timeoutSec });
    this.name = "TaskTimeoutError";
  }
}

/** The try was told to stop: cleared, marked, or its worker shuts down. */
export class TaskAbortedError extends BaramError {
  constructor() {
    super("TASK_ABORTED", "the task was told to stop before it ended");
    this.name = "TaskAbortedError";
  }
}

export class SensorTimeoutError extends BaramError {
  constructor(timeoutSec: number) {
    super("SENSOR_TIMEOUT", `the sensor waited longer than its timeout of ${timeoutSec} s`, { timeoutSec });
    this.name = "SensorTimeoutError";
  }
}

/** The trigger that a deferred task waited for failed. */
export class TriggerFailureError extends BaramError {
  constructor(message: string) {
    super("TRIGGER_FAILED", message);
    this.name = "TriggerFailureError";
  }
}

/** The trigger that a deferred task waited for did not fire in time. */
export class TriggerTimeoutError extends BaramError {
  constructor(message: string) {
    super("TRIGGER_TIMEOUT", message);
    this.name = "TriggerTimeoutError";
  }
}

/** A value cannot be kept as an XCom. */
export class XComValueError extends BaramError {
  constructor(message: string, facts: Record<string, unknown>) {
    super("XCOM_INVALID", message, facts);
    this.name = "XComValueError";
  }
}

/** A template field could not be rendered. */
export class TemplateError extends BaramError {
  constructor(message: string, facts: Record<string, unknown>, cause?: unknown) {
    super("TEMPLATE_FAILED", message, facts, cause);
    this.name = "TemplateError";
  }
}

/** A connection or variable that a task asked for does not exist. */
export class NotFoundError extends BaramError {
  constructor(what: "connection" | "variable", key: string, remedy: string) {
    super("NOT_FOUND", `there is no ${what} "${key}": ${remedy}`, { what, key });
    this.name = "NotFoundError";
  }
}

/** Within the API's bounds, and text whatever the task has put into its error: people read it, and nothing else depends on it. */
export function describeError(error: Error): TaskError {
  const name = textOf(() => error.name) || textOf(() => error.constructor.name) || "Error";
  const stack = stackWithCauses(error);
  return {
    name: cutText(name, ERROR_NAME_MAX),
    message: cutText(messageOf(error), SHOWN_TEXT_MAX),
    stack: stack && cutText(stack, SHOWN_TEXT_MAX),
  };
}

export function messageOf(error: Error): string {
  return textOf(() => error.message);
}

// An error's cause often has the only useful message; `stack` does not include it.
function stackWithCauses(error: Error): string | null {
  const stacks: string[] = [];
  let each: unknown = error;
  while (each instanceof Error && stacks.length < 5) {
    const at = each;
    const stack = textOf(() => at.stack);
    stacks.push(stack === "" ? `${textOf(() => at.name)}: ${messageOf(at)}` : authorStack(stack));
    try {
      each = at.cause;
    } catch {
      break;
    }
  }
  return stacks.length === 0 ? null : stacks.join("\nCaused by: ");
}

/** A field of an error may be anything: an object as message is shown as its JSON. */
function textOf(read: () => unknown): string {
  try {
    const value = read();
    if (typeof value === "string") return value;
    return value === undefined || value === null ? "" : (JSON.stringify(value) ?? String(value));
  } catch {
    return "(it cannot be shown)";
  }
}
