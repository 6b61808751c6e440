import { BaramError } from "../platform/index.ts";

/** The command was called incorrectly; `message` names the value and what is allowed. */
export function usageError(message: string): BaramError {
  return new BaramError("usage_invalid", message);
}

export function notFound(
  what: "dag" | "dag_run" | "task" | "connection" | "variable" | "pool" | "option",
  message: string,
): BaramError {
  return new BaramError(`${what}_not_found`, message);
}

/** The command has done its work and the result is negative: a check failed. */
export function checkFailed(message: string): BaramError {
  return new BaramError("check_failed", message);
}

/** The user stopped the command before it had done its work. */
export function interrupted(message: string): BaramError {
  return new BaramError("interrupted", message);
}
