/**
 * Names that a template sets. As in Jinja, what a loop, a macro or `{% with %}` sets is gone after it; `namespace()` carries a value out.
 * A macro sees nothing around it, and the block of a call sees all.
 */
export class Scope {
  private readonly values = new Map<string, unknown>();
  private readonly parent: Scope | undefined;

  constructor(parent?: Scope) {
    this.parent = parent;
  }

  /** The scope that has the name. */
  find(name: string): Scope | undefined {
    return this.values.has(name) ? this : this.parent?.find(name);
  }

  get(name: string): unknown {
    return this.values.get(name);
  }

  set(name: string, value: unknown): void {
    this.values.set(name, value);
  }
}
