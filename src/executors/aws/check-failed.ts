import { BaramError, toError } from "../../platform/index.ts";
import { faultOf } from "./fault-of.ts";

/** AWS answered a check at the scheduler's start with an error. `action`: the permission that the request needs. */
export function checkFailed(
  facts: { executor: string; asked: string; action: string; page: string },
  error: unknown,
): BaramError {
  return checkFound(
    facts.executor,
    facts.asked,
    toError(error).message || faultOf(error).message,
    remedyFor(error, facts),
    error,
  );
}

/** A resource that was checked at the scheduler's start cannot be used. */
export function checkFound(executor: string, asked: string, said: string, remedy: string, cause?: unknown): BaramError {
  return new BaramError(
    "aws_check_failed",
    `${executor} cannot be used: ${asked}: ${said}. ${remedy}`,
    { executor, asked },
    cause,
  );
}

function remedyFor(error: unknown, { action, page }: { action: string; page: string }): string {
  const fault = faultOf(error);
  if (fault.kind === "credentials")
    return "Give the scheduler credentials: a role, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.";
  if (fault.kind === "away") return "Can this machine reach AWS, or the endpoint in AWS_ENDPOINT_URL?";
  if (isDenied(error)) return `Allow ${action} to the scheduler's role (${page}).`;
  if (fault.kind === "throttled") return "Start again in a moment.";
  return "Correct the option, or create what it names; check_health_on_startup = false starts without asking.";
}

/** Whether the role lacks a permission. */
export function isDenied(error: unknown): boolean {
  return /AccessDenied|not authorized/i.test(faultOf(error).message);
}
