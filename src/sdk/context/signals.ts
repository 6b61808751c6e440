import { BaramError } from "../../platform/index.ts";

/** Thrown by a task to end as skipped; its downstream tasks follow their trigger rules. */
export class SkipError extends BaramError {
  constructor(message = "the task skipped itself", cause?: unknown) {
    super("TASK_SKIPPED", message, {}, cause);
    this.name = "SkipError";
  }
}

/** Thrown by a task to fail immediately, without further retries. */
export class FailError extends BaramError {
  constructor(message = "the task failed itself", cause?: unknown) {
    super("TASK_FAILED", message, {}, cause);
    this.name = "FailError";
  }
}
