import { BaramError } from "../../platform/index.ts";
import { type Db, lockRun, lockRunsInRange, type RunFacts } from "../../store/index.ts";

/** The runs that a command concerns: one, optionally with earlier or later ones, or those in a range of logical dates. */
export type RunPick =
  | { kind: "one"; runId: string; past: boolean; future: boolean }
  | { kind: "range"; from: Date | null; to: Date | null };

/** The most runs that one command locks: more would block the scheduler for too long. */
const RUNS_MAX = 1_000;

/** Locks the runs in id order. Throws `dag_run_not_found`, `too_many_runs`. */
export async function lockPickedRuns(tx: Db, dagId: string, pick: RunPick): Promise<RunFacts[]> {
  if (pick.kind === "range") return lockRange(tx, dagId, pick.from, pick.to);
  const run = await lockRun(tx, dagId, pick.runId);
  if (!run) throw new BaramError("dag_run_not_found", `DAG "${dagId}" has no run "${pick.runId}".`, { dagId, runId: pick.runId });
  // A run without a logical date has no earlier or later ones.
  if ((!pick.past && !pick.future) || run.logicalDate === null) return [run];
  return lockRange(tx, dagId, pick.past ? null : run.logicalDate, pick.future ? null : run.logicalDate);
}

async function lockRange(tx: Db, dagId: string, from: Date | null, to: Date | null): Promise<RunFacts[]> {
  const runs = await lockRunsInRange(tx, { dagId, from, to }, RUNS_MAX + 1);
  if (runs.length > RUNS_MAX) {
    throw new BaramError(
      "too_many_runs",
      `This concerns more than ${RUNS_MAX} runs of DAG "${dagId}". Narrow it by dates, or name the run.`,
      {
        dagId,
      },
    );
  }
  return runs;
}
