/** Thrown while a template renders, when it needs a value that only a call can get; caught by the render loop. */
export class PendingLookup extends Error {
  readonly key: string;
  readonly load: () => Promise<unknown>;

  constructor(key: string, load: () => Promise<unknown>) {
    super(`${key} is not loaded yet`);
    this.key = key;
    this.load = load;
  }
}

/** Values that templates of one try have asked for, by name. */
export type LookupCache = Map<string, unknown>;

/**
 * A value that needs a call. Templates are synchronous, so on first use this aborts the render; the loop loads the value and
 * renders again. An aborted render is discarded, so a placeholder never reaches the output.
 */
export function lookUp(cache: LookupCache, key: string, load: () => Promise<unknown>): unknown {
  if (!cache.has(key)) throw new PendingLookup(key, load);
  return cache.get(key);
}

/** An object whose every property is looked up: `var.value`, `var.json`, `conn`. */
export class LookupNamespace {
  readonly name: string;
  /** The value, or undefined where there is none. */
  readonly find: (key: string) => unknown;
  /** What its `get` takes. */
  readonly getSignature: string;

  constructor(name: string, getSignature: string, find: (key: string) => unknown) {
    this.name = name;
    this.getSignature = getSignature;
    this.find = find;
  }
}

/** Renders until no value is missing. The limit guards against a lookup that never settles. */
export async function renderWithLookups<T>(cache: LookupCache, render: () => T): Promise<T> {
  for (let pass = 0; pass < 1_000; pass += 1) {
    try {
      return render();
    } catch (error) {
      if (!(error instanceof PendingLookup)) throw error;
      cache.set(error.key, await error.load());
    }
  }
  throw new Error("a template asks for more than 1,000 variables, connections and XComs");
}
