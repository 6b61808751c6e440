/**
 * The exit codes of commands; scripts may rely on them.
 *
 * | code | meaning |
 * | ---- | ------- |
 * | 0 | done |
 * | 1 | failed: the message on stderr says why |
 * | 2 | wrong usage: an unknown command or option, a value that is invalid or out of its bounds, a missing `--yes` without a terminal |
 * | 3 | not found: a DAG, run, backfill, task, connection, variable, pool, user or option |
 * | 4 | conflict with the current state: a run, connection or user that exists, a pool or DAG in use, another backfill, the last admin |
 * | 130 | stopped by Ctrl-C, or by an answer other than yes |
 */
export const ExitCode = { Ok: 0, Failure: 1, Usage: 2, NotFound: 3, Conflict: 4, Interrupted: 130 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const CONFLICTS = new Set([
  "backfill_completed",
  "backfill_running",
  "dag_run_exists",
  "connection_exists",
  "pool_in_use",
  "pool_protected",
  "last_admin",
  "user_exists",
  "dag_running",
  "dag_run_running",
  "task_running",
]);

/** The exit code for an error's stable code. */
export function exitCodeOf(errorCode: string | undefined): ExitCode {
  if (errorCode === undefined) return ExitCode.Failure;
  if (
    errorCode === "usage_invalid" ||
    errorCode === "connection_invalid" ||
    errorCode === "workload_invalid" ||
    errorCode === "api_url_missing" ||
    errorCode === "instant_invalid" ||
    errorCode === "instant_out_of_bounds" ||
    errorCode === "too_many_runs" ||
    errorCode === "note_too_long" ||
    errorCode === "password_too_long" ||
    errorCode === "password_too_short" ||
    errorCode === "username_invalid" ||
    errorCode === "run_id_refused" ||
    errorCode === "logical_date_in_future"
  )
    return ExitCode.Usage;
  if (errorCode === "interrupted") return ExitCode.Interrupted;
  if (CONFLICTS.has(errorCode)) return ExitCode.Conflict;
  return errorCode.endsWith("_not_found") ? ExitCode.NotFound : ExitCode.Failure;
}
