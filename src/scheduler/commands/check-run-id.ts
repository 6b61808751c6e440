import { BaramError } from "../../platform/index.ts";

/** Prefixes of the ids of runs that the platform creates. A run by hand with such an id would take the id of one of these. */
const RESERVED = /^(scheduled|backfill|asset_triggered)__/;

/** Checks a run id that a person or a task chose against [scheduler] allowed_run_id_pattern. Throws `run_id_refused`. */
export function checkRunId(runId: string | null | undefined, allowed: RegExp): void {
  if (runId === null || runId === undefined) return;
  const [prefix] = RESERVED.exec(runId) ?? [];
  if (prefix !== undefined)
    throw new BaramError(
      "run_id_refused",
      `The run id "${runId}" begins with "${prefix}", which is kept for runs that the platform creates. Choose another, or none.`,
      { runId },
    );
  if (allowed.test(runId)) return;
  throw new BaramError(
    "run_id_refused",
    `The run id "${runId}" does not match ${allowed.source}, as [scheduler] allowed_run_id_pattern wants. Choose another, or none.`,
    { runId },
  );
}
