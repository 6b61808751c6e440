/**
 * Names that a template sets. A loop has a scope of its own, but sets what is already set around it. A macro sees nothing around it,
 * and the block of a call sees all and sets nothing there.
 */
export class Scope {
  private readonly values = new Map<string, unknown>();
  private readonly parent: Scope | undefined;
  private readonly writesStay: boolean;

  constructor(parent?: Scope, writesStay = false) {
    this.parent = parent;
    this.writesStay = writesStay;
  }

  /** The scope that has the name. */
  find(name: string): Scope | undefined {
    return this.values.has(name) ? this : this.parent?.find(name);
  }

  get(name: string): unknown {
    return this.values.get(name);
  }

  declare(name: string, value: unknown): void {
    this.values.set(name, value);
  }

  set(name: string, value: unknown): void {
    const owner = this.findWritable(name) ?? this;
    owner.values.set(name, value);
  }

  private findWritable(name: string): Scope | undefined {
    if (this.values.has(name)) return this;
    return this.writesStay ? undefined : this.parent?.findWritable(name);
  }
}
