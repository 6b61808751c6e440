import { BaseOperator } from "../../sdk/index.ts";

/** Does nothing; useful to join edges. Without callbacks it needs no worker. */
export class EmptyOperator extends BaseOperator<object, undefined> {
  static override readonly optionNames: readonly string[] = [];
  override readonly doesNothing = true;

  async execute(): Promise<undefined> {
    return undefined;
  }
}
