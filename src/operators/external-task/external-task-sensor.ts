import {
  type ExternalState,
  type ExternalVerdict,
  type ExternalView,
  type JsonValue,
  judgeExternal,
} from "../../contracts/index.ts";
import { BaseSensor, type DurationInput, ExternalTaskTrigger, FailError, SkipError, type TaskContext } from "../../sdk/index.ts";
import { durationToSeconds } from "../../sdk/runtime.ts";

type TaskStates = Awaited<ReturnType<TaskContext["dags"]["taskStates"]>>;

export type ExternalTaskOptions = {
  externalDagId: string;
  /** One task, several tasks, or a group; none = the run itself. */
  externalTaskId?: string;
  externalTaskIds?: string[];
  externalTaskGroupId?: string;
  /** Id of the run to wait for; needed for a manual run. Templated. Default: the run is found by its logical date. */
  externalRunId?: string;
  /** The other run's logical date is earlier than this run's by this duration. */
  executionDelta?: DurationInput;
  /** Computes the logical dates of the other runs from this run's. Cannot be combined with `executionDelta`. */
  executionDateFn?: (logicalDate: Date, ctx: TaskContext) => Date | Date[];
  /** States in which all of them must be. Default: success. */
  allowedStates?: ExternalState[];
  /** This task is skipped as soon as one of them is in one of these states. */
  skippedStates?: ExternalState[];
  /** This task fails as soon as one of them is in one of these states. Default: failed, and upstream_failed for tasks. */
  failedStates?: ExternalState[];
  /** Fail if the DAG or a task does not exist. Default false: wait until it does. */
  checkExistence?: boolean;
};

type Rendered = "externalDagId" | "externalTaskId" | "externalTaskIds" | "externalTaskGroupId" | "externalRunId";

/** Waits for a run of another DAG, or for tasks or a group in it. */
export class ExternalTaskSensor extends BaseSensor<ExternalTaskOptions, undefined, Rendered> {
  static override readonly templateFields: readonly string[] = [
    "externalDagId",
    "externalTaskId",
    "externalTaskIds",
    "externalTaskGroupId",
    "externalRunId",
  ];
  static override readonly optionNames: readonly string[] = Object.keys({
    executionDelta: true,
    executionDateFn: true,
    allowedStates: true,
    skippedStates: true,
    failedStates: true,
    checkExistence: true,
  } satisfies Record<Exclude<keyof ExternalTaskOptions, Rendered>, true>);

  async poke(ctx: TaskContext): Promise<boolean> {
    const { dagId, taskIds, externalTaskGroupId, logicalDates, runIds } = this.target(ctx);
    const answer = await ctx.dags.taskStates({ dagId, taskIds, taskGroupId: externalTaskGroupId, logicalDates, runIds });
    if (this.options.checkExistence) this.checkExists(answer, dagId);
    const view: ExternalView = {
      wantedRuns: logicalDates?.length ?? 1,
      wantedTaskIds: taskIds,
      looksAtTasks: taskIds !== null || externalTaskGroupId !== null,
      runs: answer.runs,
    };
    const verdict = judgeExternal(view, this.options);
    if (verdict.kind !== "waiting") return this.conclude(ctx, verdict);
    return this.conclude(ctx, { ...verdict, reason: this.waitingFor(verdict.reason, answer, logicalDates, runIds) });
  }

  /** A wait that cannot end is mostly one for a run that nobody creates: the log names what was looked for. */
  private waitingFor(
    reason: string,
    answer: TaskStates,
    dates: readonly string[] | null,
    runIds: readonly string[] | null,
  ): string {
    if (!answer.dagExists) return `${reason}, because there is no such DAG`;
    if (answer.runs.length < (dates?.length ?? 1)) {
      if (dates === null) return `${reason} (run id ${runIds?.join(", ")})`;
      const found = new Set(answer.runs.map((run) => run.logicalDate && new Date(run.logicalDate).toISOString()));
      const missing = dates.filter((date) => !found.has(date));
      return `${reason} (logical date ${missing.join(", ")}; if the other DAG has other dates, set executionDelta, executionDateFn or externalRunId)`;
    }
    if (answer.missingTaskIds.length > 0) return `${reason}, because the DAG has no task ${answer.missingTaskIds.join(", ")}`;
    return reason;
  }

  override createTrigger(ctx: TaskContext): ExternalTaskTrigger {
    const { dagId, taskIds, externalTaskGroupId, logicalDates, runIds } = this.target(ctx);
    const { allowedStates, skippedStates, failedStates } = this.options;
    return new ExternalTaskTrigger({
      dagId,
      ...(taskIds === null ? {} : { taskIds }),
      ...(externalTaskGroupId === null ? {} : { taskGroupId: externalTaskGroupId }),
      ...(logicalDates === null ? {} : { logicalDates }),
      ...(runIds === null ? {} : { runIds }),
      allowedStates,
      skippedStates,
      failedStates,
      pollInterval: { seconds: this.timing.pokeIntervalSec },
    });
  }

  override async executeComplete(ctx: TaskContext, event: JsonValue): Promise<boolean> {
    return this.conclude(ctx, event as ExternalVerdict);
  }

  private target(ctx: TaskContext) {
    const { externalDagId: dagId, externalTaskId, externalTaskIds, externalTaskGroupId = null, externalRunId } = this.options;
    const taskIds = externalTaskId === undefined ? (externalTaskIds ?? null) : [externalTaskId];
    const logicalDates = externalRunId === undefined ? this.logicalDates(ctx) : null;
    const runIds = externalRunId === undefined ? null : [externalRunId];
    return { dagId, taskIds, externalTaskGroupId, logicalDates, runIds };
  }

  private conclude(ctx: TaskContext, verdict: ExternalVerdict): boolean {
    const { externalDagId: dagId } = this.options;
    if (verdict.kind === "failed") throw new FailError(`DAG ${dagId}: ${verdict.reason}`);
    if (verdict.kind === "skipped") throw new SkipError(`DAG ${dagId}: ${verdict.reason}`);
    ctx.logger.info(`DAG ${dagId}: ${verdict.reason}`);
    return verdict.kind === "done";
  }

  private logicalDates(ctx: TaskContext): string[] {
    const { executionDelta, executionDateFn } = this.options;
    if (executionDelta !== undefined && executionDateFn !== undefined) {
      throw new FailError(`sensor ${this.taskId}: give executionDelta or executionDateFn, not both`);
    }
    if (ctx.logicalDate === null) {
      throw new FailError(`sensor ${this.taskId}: this run has no logical date to look for: name the other run by externalRunId`);
    }
    if (executionDateFn !== undefined) {
      return [executionDateFn(ctx.logicalDate, ctx)].flat().map((date) => date.toISOString());
    }
    const deltaSec = executionDelta === undefined ? 0 : durationToSeconds("executionDelta", executionDelta);
    return [new Date(ctx.logicalDate.getTime() - deltaSec * 1000).toISOString()];
  }

  private checkExists(answer: { dagExists: boolean; missingTaskIds: readonly string[] }, dagId: string): void {
    if (!answer.dagExists) throw new FailError(`there is no DAG ${dagId}`);
    if (answer.missingTaskIds.length > 0) throw new FailError(`DAG ${dagId} has no task ${answer.missingTaskIds.join(", ")}`);
  }
}
