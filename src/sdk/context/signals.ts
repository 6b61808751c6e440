import { BaramError } from "../../platform/index.ts";

/** Thrown by a task to end as skipped; tasks after it follow their trigger rules. */
export class SkipError extends BaramError {
  constructor(message = "the task skipped itself", cause?: unknown) {
    super("TASK_SKIPPED", message, {}, cause);
    this.name = "SkipError";
  }
}

/** Thrown by a task to fail at once, however many retries are left. */
export class FailError extends BaramError {
  constructor(message = "the task failed itself", cause?: unknown) {
    super("TASK_FAILED", message, {}, cause);
    this.name = "FailError";
  }
}
