import { BaseOperator, type TaskContext } from "../../sdk/index.ts";
import { type BranchChoice, followBranch } from "./follow-branch.ts";

/**
 * Base class of operators that choose which of the direct downstream tasks run. The others are skipped, except those that are
 * also downstream of a chosen one.
 */
export abstract class BaseBranchOperator<O extends object = object, T extends keyof O = never> extends BaseOperator<
  O,
  BranchChoice,
  T
> {
  static override readonly optionNames: readonly string[] = [];
  abstract chooseBranch(ctx: TaskContext): Promise<BranchChoice>;

  async execute(ctx: TaskContext): Promise<BranchChoice> {
    const choice = await this.chooseBranch(ctx);
    followBranch(ctx, choice);
    return choice;
  }
}
