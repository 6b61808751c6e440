import { BaseOperator, type DurationInput, FailError, type JsonObject, SkipError, type TaskContext } from "../../sdk/index.ts";

type RunState = "queued" | "running" | "success" | "failed";

export type TriggerDagRunOptions = {
  /** The DAG to trigger. Templated, as are the run id, the logical date and the conf. */
  triggerDagId: string;
  triggerRunId?: string;
  /** ISO 8601; without an offset it is local time in that DAG's time zone. Omitted: now. null: the run has no logical date. */
  logicalDate?: string | null;
  conf?: JsonObject;
  note?: string;
  /** If such a run exists, clear it and run it again. */
  resetDagRun?: boolean;
  /** If such a run exists, skip the task instead of failing it. */
  skipWhenAlreadyExists?: boolean;
  /** Wait until the triggered run ends. */
  waitForCompletion?: boolean;
  /** Default "1m". */
  pokeInterval?: DurationInput;
  /** States of the run that end the wait successfully. Default: success. */
  allowedStates?: readonly RunState[];
  /** States of the run that fail this task. Default: failed. */
  failedStates?: readonly RunState[];
};

type Rendered = "triggerDagId" | "triggerRunId" | "logicalDate" | "conf" | "note";

/** Triggers a run of another DAG, and waits for it if requested. Returns the run's id. */
export class TriggerDagRunOperator extends BaseOperator<TriggerDagRunOptions, string, Rendered> {
  static override readonly templateFields: readonly string[] = ["triggerDagId", "triggerRunId", "logicalDate", "conf", "note"];
  static override readonly optionNames: readonly string[] = Object.keys({
    resetDagRun: true,
    skipWhenAlreadyExists: true,
    waitForCompletion: true,
    pokeInterval: true,
    allowedStates: true,
    failedStates: true,
  } satisfies Record<Exclude<keyof TriggerDagRunOptions, Rendered>, true>);

  async execute(ctx: TaskContext): Promise<string> {
    const { triggerDagId: dagId, triggerRunId, logicalDate, conf, note, resetDagRun = false } = this.options;
    const request = { dagId, runId: triggerRunId, logicalDate, conf, note, resetDagRun };
    const { runId, created, isPaused } = await ctx.dags.trigger(request);
    if (!created && !resetDagRun) {
      const message = `DAG ${dagId} has the run ${runId} already`;
      if (this.options.skipWhenAlreadyExists) throw new SkipError(message);
      throw new FailError(`${message}: give another triggerRunId or logicalDate, or set resetDagRun or skipWhenAlreadyExists`);
    }
    ctx.logger.info(`triggered run ${runId} of DAG ${dagId}`);
    if (isPaused)
      ctx.logger.warn(`DAG ${dagId} is paused: run ${runId} waits until it is unpaused ("baram dags unpause ${dagId}")`);
    await ctx.xcom.push("trigger_run_id", runId);
    if (this.options.waitForCompletion) await this.waitFor(ctx, dagId, runId);
    return runId;
  }

  private async waitFor(ctx: TaskContext, dagId: string, runId: string): Promise<void> {
    const { allowedStates = ["success"], failedStates = ["failed"], pokeInterval = "1m" } = this.options;
    for (;;) {
      const state = await ctx.dags.runState(dagId, runId);
      if (state === null) throw new FailError(`run ${runId} of DAG ${dagId} was deleted while the task waited for it`);
      if (failedStates.includes(state)) throw new FailError(`run ${runId} of DAG ${dagId} ended as ${state}`);
      if (allowedStates.includes(state)) return;
      ctx.logger.debug(`run ${runId} of DAG ${dagId} is ${state}`);
      await ctx.sleep(pokeInterval);
    }
  }
}
