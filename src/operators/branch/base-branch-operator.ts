import { BaseOperator, type TaskContext } from "../../sdk/index.ts";
import { followBranch } from "./follow-branch.ts";

/** Ids of the tasks or task groups to go on with; none skips all. */
export type BranchChoice = string | readonly string[] | null;

/**
 * The base of operators that choose which of the tasks directly after them go on. The others are skipped, save those that
 * a chosen one leads to.
 */
export abstract class BaseBranchOperator<O extends object = object, T extends keyof O = never> extends BaseOperator<
  O,
  BranchChoice,
  T
> {
  abstract chooseBranch(ctx: TaskContext): Promise<BranchChoice>;

  async execute(ctx: TaskContext): Promise<BranchChoice> {
    const choice = await this.chooseBranch(ctx);
    followBranch(ctx, choice);
    return choice;
  }
}
