import type { ArgsOf, AuthorFunction, JsonObject, TaskContext, TaskFactory, TaskOptions } from "../../sdk/index.ts";
import { BaseOperator } from "../../sdk/index.ts";
import { createFactory, FunctionOperator, type MustTravel } from "../../sdk/runtime.ts";

type ShortCircuitReach = {
  /**
   * true (default) = all downstream tasks are skipped; false = only the direct ones, and the trigger rules decide about the rest.
   */
  ignoreDownstreamTriggerRules?: boolean;
};
export type ShortCircuitOptions = ShortCircuitReach & { condition: (ctx: TaskContext) => unknown };

/** Skips the downstream tasks unless `condition` returns a truthy value. Teardowns are never skipped. */
export class ShortCircuitOperator extends BaseOperator<ShortCircuitOptions, unknown> {
  static override readonly optionNames: readonly string[] = Object.keys({
    condition: true,
    ignoreDownstreamTriggerRules: true,
  } satisfies Record<keyof ShortCircuitOptions, true>);
  async execute(ctx: TaskContext): Promise<unknown> {
    const condition = await this.options.condition(ctx);
    cutShort(ctx, condition, this.options.ignoreDownstreamTriggerRules ?? true);
    return condition;
  }
}

class ShortCircuitFunctionOperator<A extends readonly unknown[], R> extends FunctionOperator<A, R> {
  static override readonly optionNames: readonly string[] = Object.keys({ ignoreDownstreamTriggerRules: true } satisfies Record<
    keyof ShortCircuitReach,
    true
  >);
  override readonly operatorName = "shortCircuit";

  override async execute(ctx: TaskContext): Promise<R> {
    const condition = await super.execute(ctx);
    cutShort(ctx, condition, (this.options as ShortCircuitReach).ignoreDownstreamTriggerRules ?? true);
    return condition;
  }
}

/** Like `task()`, for a function whose result decides whether the downstream tasks run. */
export function shortCircuit<F extends object, R, V extends object = JsonObject>(
  options: TaskOptions & ShortCircuitReach,
  fn: AuthorFunction<F, V, R> & MustTravel<R>,
): TaskFactory<ArgsOf<F>, R, TaskOptions & ShortCircuitReach> {
  return createFactory("shortCircuit", options, fn, ShortCircuitFunctionOperator, shortCircuit);
}

function cutShort(ctx: TaskContext, condition: unknown, ignoreRules: boolean): void {
  if (condition) {
    ctx.logger.info("the condition holds: continuing");
    return;
  }
  const reached = ignoreRules ? allDownstream(ctx) : ctx.task.downstream;
  const skipped = reached.filter((taskId) => !ctx.dag.task(taskId)?.isTeardown);
  ctx.logger.info("the condition does not hold: skipping the downstream tasks", { skipped });
  ctx.skipTasks(skipped);
}

function allDownstream(ctx: TaskContext): string[] {
  const seen = new Set<string>(ctx.task.downstream);
  const pending = [...seen];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    for (const next of ctx.dag.task(id)?.downstream ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      pending.push(next);
    }
  }
  return [...seen];
}
