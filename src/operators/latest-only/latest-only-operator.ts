import type { TaskContext } from "../../sdk/index.ts";
import { BaseBranchOperator } from "../branch/base-branch-operator.ts";
import type { BranchChoice } from "../branch/follow-branch.ts";

/**
 * Skips its direct downstream tasks unless this is the DAG's newest scheduled run, for example during a catchup or after a delay;
 * the trigger rules decide about the other tasks. In runs that the schedule did not create, it never skips. Like Airflow's
 * operator of the same name.
 */
export class LatestOnlyOperator extends BaseBranchOperator {
  static override readonly optionNames: readonly string[] = [];
  async chooseBranch(ctx: TaskContext): Promise<BranchChoice> {
    const { run, task } = ctx;
    if (run.runType !== "scheduled" && run.runType !== "backfill") {
      ctx.logger.info(`a ${run.runType} run: continuing`);
      return task.downstream;
    }
    const next = await ctx.dags.nextRunAfter(run.dagId, run.runId);
    if (next === null || ctx.now() <= next) {
      ctx.logger.info("this is the latest run: continuing", { next: next?.toISOString() ?? null });
      return task.downstream;
    }
    ctx.logger.info("this is not the latest run: skipping the downstream tasks", { next: next.toISOString() });
    return [];
  }
}
