import { BaseOperator } from "../../sdk/index.ts";

/** Does nothing: a point to gather edges at. Without callbacks no worker is used for it. */
export class EmptyOperator extends BaseOperator<object, undefined> {
  static override readonly optionNames: readonly string[] = [];
  override readonly doesNothing = true;

  async execute(): Promise<undefined> {
    return undefined;
  }
}
