/**
 * The base of every error Baram raises on purpose. `code` is stable and documented; `facts` are what the message was
 * written from, kept for logs and API answers.
 */
export class BaramError extends Error {
  readonly code: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, facts: Record<string, unknown> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BaramError";
    this.code = code;
    this.facts = facts;
  }
}

/** Anything thrown, as an Error: user code may throw strings, or nothing at all. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === "string" ? thrown : `a value that is not an Error was thrown: ${describe(thrown)}`);
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** The store has said so, and says when the database is back; whoever meets the error waits, and logs nothing of its own. */
export function isDatabaseAway(error: unknown): boolean {
  return error instanceof BaramError && error.code === "database_unavailable";
}
