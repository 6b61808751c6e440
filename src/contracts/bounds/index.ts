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

/** Characters of a text of a DAG or task: names, descriptions, documentation. */
export const TEXT_MAX = 1_000_000;

/** Characters of a pool's name. It is part of keys, and PostgreSQL's index takes 8 KB of one. */
export const POOL_NAME_MAX = 256;

/** Slots that one task instance takes of its pool: not above what a pool without limit offers (`select-candidates`). */
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

// What a try reports of itself. The runner keeps these limits first, and says so in the author's words.
/** Characters of an XCom's key, as in Airflow. */
export const XCOM_KEY_MAX = 512;
/** XComs that come with a try's end: its result and the parts of it by `multipleOutputs`. */
export const OUTCOME_XCOMS_MAX = 1_000;
/** Task ids that a branch skips. */
export const SKIP_TASKS_MAX = 10_000;
/** Characters of a trigger's name and of the method that a deferred task goes on with. */
export const DEFERRAL_NAME_MAX = 250;
export const LABEL_MAX = 250;
/** Rendered fields of one task. */
export const RENDERED_FIELDS_MAX = 500;
export const ERROR_NAME_MAX = 250;
/** Of an error's message and stack, and of the reason of a skip: what is longer is cut, since people read it. */
export const SHOWN_TEXT_MAX = 10_000;

/** Cuts what a person reads; the last character says that it was cut. */
export function cutText(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
