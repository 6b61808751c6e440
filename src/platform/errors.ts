/**
 * The base class of all errors that Baram throws on purpose. `code` is stable and documented; `facts` are the values in the
 * message, kept for logs and API answers.
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

/** Converts any thrown value to an Error: user code may throw strings or undefined. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new Error(typeof thrown === "string" ? thrown : `a value that is not an Error was thrown: ${describe(thrown)}`);
}

const ERROR_TEXT_MAX = 100_000;

/** `name: message` of what was thrown. Never throws itself: an author's error may have any values there. */
export function errorText(thrown: unknown): string {
  const { name, message } = toError(thrown);
  return `${plainText(name)}: ${plainText(message)}`.slice(0, ERROR_TEXT_MAX);
}

function plainText(value: unknown): string {
  return typeof value === "string" ? value : describe(value);
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/**
 * The store has logged the outage and will log the return of the database. The caller waits and does not log the error itself.
 */
export function isDatabaseAway(error: unknown): boolean {
  return error instanceof BaramError && error.code === "database_unavailable";
}
