/**
 * The bounds of all numbers, durations and instants from outside: from a DAG file, a try, a request, an option, a flag. Defined
 * only here, and without zod, whose import would slow down the start of every command. Within them, no arithmetic overflows an
 * int4 column, PostgreSQL's interval and timestamptz, or JavaScript's Date.
 */

/** PostgreSQL's integer, the type of all stored counts. */
export const INT4_MAX = 2_147_483_647;
export const INT4_MIN = -2_147_483_648;

/** Retries, limits, weights. Half of an int4, so that a sum of two still fits (the tries so far are added to retries). */
export const COUNT_MAX = 1_000_000_000;

/**
 * Slots that one task instance takes of its pool: at most the number of slots that a pool without limit offers
 * (`select-candidates`).
 */
export const POOL_SLOTS_MAX = 1_000_000;

/**
 * 100 years of 365.25 days. A PostgreSQL interval can hold far more, but sums count: now or the latest instant plus several
 * durations must stay far below the year 275,760 of a Date and 294,276 of a timestamptz.
 */
export const DURATION_MAX_SEC = 36_525 * 86_400;
export const DURATION_MAX_TEXT = "100 years (36525 days)";

/**
 * 1900 to 9999. JavaScript's `Date.UTC` reads years below 100 as the twentieth century, and time zones before 1900 have local
 * mean time. ISO 8601 years have four digits, and people write "9999-12-31" for "for ever".
 */
export const INSTANT_MIN_MS = Date.UTC(1900, 0, 1);
export const INSTANT_MAX_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
export const INSTANT_RULE = "an instant must be of the years 1900 to 9999 in UTC";

export function isInstantInBounds(ms: number): boolean {
  return ms >= INSTANT_MIN_MS && ms <= INSTANT_MAX_MS;
}

// Texts that people write, in characters. The same for the API and the command line: what one of them takes, the other can name and show.
export const CONNECTION_ID_MAX = 200;
export const CONNECTION_TYPE_MAX = 500;
/** Host, login, password, schema and description of a connection. */
export const CONNECTION_TEXT_MAX = 10_000;
export const CONNECTION_EXTRA_MAX = 100_000;
export const VARIABLE_KEY_MAX = 250;
/** Of variables and pools. */
export const DESCRIPTION_MAX = 5_000;
/** A run's conf as JSON, in bytes: what a request to the API may have as a whole. */
export const CONF_MAX_BYTES = 1_048_576;
