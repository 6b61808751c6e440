import { BaseOperator, type TaskContext } from "../../sdk/index.ts";
import { type BranchChoice, followBranch } from "./follow-branch.ts";

/**
 * The base of operators that choose which of the tasks directly after them go on. The others are skipped, save those that
 * a chosen one leads to.
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
