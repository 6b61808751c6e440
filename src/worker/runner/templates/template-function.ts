/** Named arguments of a call, always the last argument. */
export class Keywords {
  readonly values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.values = values;
  }
}

export type TemplateFunction = (...args: never[]) => unknown;

const known = new WeakSet<object>();

/** Marks a function of ours. Templates can call nothing else, whatever data or options hold. */
export function callable<T extends TemplateFunction>(call: T): T {
  known.add(call);
  return call;
}

/** Marks all functions of an object of ours. */
export function callables<T extends object>(object: T): T {
  for (const value of Object.values(object)) if (typeof value === "function") known.add(value);
  return object;
}

export function isCallable(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function" && known.has(value);
}
