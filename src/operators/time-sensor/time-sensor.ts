import { BaseSensor, type DurationInput, FailError, type TaskContext } from "../../sdk/index.ts";
import { durationToSeconds } from "../../sdk/runtime.ts";

/** Waits until an instant: an ISO 8601 text with a zone. Templated. */
export class TimeSensor extends BaseSensor<{ until: string }, undefined, "until"> {
  static override readonly templateFields: readonly string[] = ["until"];

  async poke(ctx: TaskContext): Promise<boolean> {
    const { until } = this.options;
    const untilMs = Date.parse(until);
    if (Number.isNaN(untilMs) || !/(Z|[+-]\d\d:?\d\d)$/.test(until)) {
      throw new FailError(
        `until is ${JSON.stringify(until)}: write an ISO 8601 instant with a zone, such as "2024-01-01T09:00:00Z"`,
      );
    }
    return ctx.now().getTime() >= untilMs;
  }
}

/** Waits until some time after the end of the run's data interval, or after `runAfter` where the run has none. */
export class TimeDeltaSensor extends BaseSensor<{ delta: DurationInput }, undefined> {
  async poke(ctx: TaskContext): Promise<boolean> {
    const from = ctx.dataIntervalEnd ?? ctx.run.runAfter;
    return ctx.now().getTime() >= from.getTime() + durationToSeconds("delta", this.options.delta) * 1000;
  }
}
