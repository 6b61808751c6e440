import type { TaskContext } from "../../sdk/index.ts";
import { BaseBranchOperator } from "../branch/base-branch-operator.ts";
import type { BranchChoice } from "../branch/follow-branch.ts";

/**
 * Lets what follows it go on only in the DAG's newest scheduled run: in a run that the schedule has left behind, because it
 * catches up or was delayed, the tasks directly after it are skipped, and trigger rules decide on the rest. Runs that no
 * schedule made always go on. As Airflow's operator of this name.
 */
export class LatestOnlyOperator extends BaseBranchOperator {
  static override readonly optionNames: readonly string[] = [];
  async chooseBranch(ctx: TaskContext): Promise<BranchChoice> {
    const { run, task } = ctx;
    if (run.runType !== "scheduled" && run.runType !== "backfill") {
      ctx.logger.info(`a ${run.runType} run: going on`);
      return task.downstream;
    }
    const next = await ctx.dags.nextRunAfter(run.dagId, run.runId);
    if (next === null || ctx.now() <= next) {
      ctx.logger.info("this is the latest run: going on", { next: next?.toISOString() ?? null });
      return task.downstream;
    }
    ctx.logger.info("this is not the latest run: skipping what follows", { next: next.toISOString() });
    return [];
  }
}
