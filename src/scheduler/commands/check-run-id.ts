import { BaramError } from "../../platform/index.ts";

/** Holds a run id that a person or a task chose against [scheduler] allowed_run_id_pattern. Throws `run_id_refused`. */
export function checkRunId(runId: string | null | undefined, allowed: RegExp): void {
  if (runId === null || runId === undefined || allowed.test(runId)) return;
  throw new BaramError(
    "run_id_refused",
    `The run id "${runId}" does not match ${allowed.source}, as [scheduler] allowed_run_id_pattern wants. Choose another, or none.`,
    { runId },
  );
}
