import { BaseSensor, DateTimeTrigger, type DurationInput, FailError, type TaskContext } from "../../sdk/index.ts";
import { durationToSeconds } from "../../sdk/runtime.ts";

/** Waits until an instant, given as an ISO 8601 text with an offset. Templated. */
export class TimeSensor extends BaseSensor<{ until: string }, undefined, "until"> {
  static override readonly templateFields: readonly string[] = ["until"];
  static override readonly optionNames: readonly string[] = [];

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

  /** The first poke has already refused an invalid instant. */
  override createTrigger(): DateTimeTrigger {
    return new DateTimeTrigger({ moment: this.options.until });
  }
}

/** Waits until some time after the end of the run's data interval, or after its `runAfter` if it has none. */
export class TimeDeltaSensor extends BaseSensor<{ delta: DurationInput }, undefined> {
  static override readonly optionNames: readonly string[] = ["delta"];
  async poke(ctx: TaskContext): Promise<boolean> {
    return ctx.now().getTime() >= this.moment(ctx).getTime();
  }

  override createTrigger(ctx: TaskContext): DateTimeTrigger {
    return new DateTimeTrigger({ moment: this.moment(ctx) });
  }

  private moment(ctx: TaskContext): Date {
    const from = ctx.dataIntervalEnd ?? ctx.run.runAfter;
    return new Date(from.getTime() + durationToSeconds("delta", this.options.delta) * 1000);
  }
}
