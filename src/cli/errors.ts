import { BaramError } from "../platform/index.ts";

/** The command was called in a way that cannot work; `message` names the value and what fits. */
export function usageError(message: string): BaramError {
  return new BaramError("usage_invalid", message);
}

export function notFound(
  what: "dag" | "dag_run" | "task" | "connection" | "variable" | "pool" | "option",
  message: string,
): BaramError {
  return new BaramError(`${what}_not_found`, message);
}

/** Says that a command did its work and the answer is no: a check that fails. */
export function checkFailed(message: string): BaramError {
  return new BaramError("check_failed", message);
}

/** A person stopped the command before it did its work. */
export function interrupted(message: string): BaramError {
  return new BaramError("interrupted", message);
}
