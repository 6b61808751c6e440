/**
 * The bounds of every number, duration and instant that comes from outside: from a DAG file, a try, a request, an option, a flag.
 * Stated here only, and without zod, which the start of every command would pay for. Inside them all arithmetic of ours holds: int4 columns, PostgreSQL's interval and timestamptz, JavaScript's Date.
 */

/** PostgreSQL's integer, the type of every count that is stored. */
export const INT4_MAX = 2_147_483_647;
export const INT4_MIN = -2_147_483_648;

/** Retries, limits, weights. Half of an int4, so that what is added to one (the tries so far, a sum of two) still fits. */
export const COUNT_MAX = 1_000_000_000;

/** Characters of a text of a DAG or task: names, descriptions, documentation. */
export const TEXT_MAX = 1_000_000;

/** Characters of a pool's name. It is part of keys, and PostgreSQL's index takes 8 KB of one. */
export const POOL_NAME_MAX = 256;

/** Slots that one task instance takes of its pool: not above what a pool without limit offers (`select-candidates`). */
export const POOL_SLOTS_MAX = 1_000_000;

/**
 * 100 years of 365.25 days. An interval of PostgreSQL holds 290,000 years, but what counts is the sum: now or the latest instant, plus
 * several durations, stays far below the 275,760 years of a Date and the 294,276 of a timestamptz.
 */
export const DURATION_MAX_SEC = 36_525 * 86_400;
export const DURATION_MAX_TEXT = "100 years (36525 days)";

/**
 * 1900 to 9999. Years below 100 mean the twentieth century to JavaScript's `Date.UTC`, and time zones before 1900 are sun time of a town;
 * ISO 8601 has four digits. "9999-12-31" is how people write "for ever".
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
