import type { ArgsOf, AuthorFunction, JsonObject, TaskContext, TaskFactory, TaskOptions } from "../../sdk/index.ts";
import { createFactory, FunctionOperator } from "../../sdk/runtime.ts";
import { BaseBranchOperator } from "./base-branch-operator.ts";
import type { BranchChoice } from "./follow-branch.ts";
import { followBranch } from "./follow-branch.ts";

export type BranchOptions = { choose: (ctx: TaskContext) => BranchChoice | Promise<BranchChoice> };

/** Chooses the branch with a function of the context: `new BranchOperator({ taskId: "b", choose: (ctx) => "left" })`. */
export class BranchOperator extends BaseBranchOperator<BranchOptions> {
  static override readonly optionNames: readonly string[] = Object.keys({ choose: true } satisfies Record<
    keyof BranchOptions,
    true
  >);
  async chooseBranch(ctx: TaskContext): Promise<BranchChoice> {
    return this.options.choose(ctx);
  }
}

class BranchFunctionOperator<A extends readonly unknown[]> extends FunctionOperator<A, BranchChoice> {
  static override readonly optionNames: readonly string[] = [];
  override readonly operatorName = "branch";

  override async execute(ctx: TaskContext): Promise<BranchChoice> {
    const choice = await super.execute(ctx);
    followBranch(ctx, choice);
    return choice;
  }
}

/**
 * Like `task()`, for a function that returns the ids of the direct downstream tasks or groups that run.
 *
 *     const pick = branch({ taskId: "pick" }, (_ctx, rows: number) => (rows > 0 ? "load" : "stop"));
 */
export function branch<F extends object, V extends object = JsonObject>(
  options: TaskOptions,
  fn: AuthorFunction<F, V, BranchChoice>,
): TaskFactory<ArgsOf<F>, BranchChoice> {
  return createFactory("branch", options, fn, BranchFunctionOperator, branch);
}
