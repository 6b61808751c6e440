import { DateTime } from "luxon";

/** Python's strftime directives, in luxon's tokens. */
const LUXON_TOKENS: Readonly<Record<string, string>> = {
  Y: "yyyy",
  y: "yy",
  m: "MM",
  d: "dd",
  H: "HH",
  I: "hh",
  M: "mm",
  S: "ss",
  f: "SSS'000'",
  p: "a",
  j: "ooo",
  b: "MMM",
  h: "MMM",
  B: "MMMM",
  a: "ccc",
  A: "cccc",
  u: "c",
  V: "WW",
  G: "kkkk",
  Z: "ZZZZ",
  z: "ZZZ",
  "-y": "y",
  "-m": "M",
  "-d": "d",
  "-H": "H",
  "-I": "h",
  "-M": "m",
  "-S": "s",
  "-j": "o",
};

/** Directives that stand for several others. */
const LONGER: Readonly<Record<string, string>> = {
  F: "%Y-%m-%d",
  T: "%H:%M:%S",
  R: "%H:%M",
  D: "%m/%d/%y",
  c: "%a %b %e %H:%M:%S %Y",
  x: "%m/%d/%y",
  X: "%H:%M:%S",
};

const pad = (number: number, fill: string) => String(number).padStart(2, fill);

/** Directives without a token; they can be written, not read. */
const COMPUTED: Readonly<Record<string, (date: DateTime) => string>> = {
  e: (date) => pad(date.day, " "),
  w: (date) => String(date.weekday % 7),
  U: (date) => pad(Math.floor((date.ordinal + 6 - (date.weekday % 7)) / 7), "0"),
  W: (date) => pad(Math.floor((date.ordinal + 6 - (date.weekday - 1)) / 7), "0"),
  s: (date) => String(Math.floor(date.toSeconds())),
};

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Without a date, the format is for reading. @throws Error naming a directive that is not supported. */
function toLuxonFormat(strftime: string, date?: DateTime): string {
  const long = strftime.replace(/%([%\w])/g, (match, directive: string) =>
    Object.hasOwn(LONGER, directive) ? (LONGER[directive] ?? match) : match,
  );
  return long.replace(/%(-?.)|([^%]+)|%$/gs, (_match, directive: string | undefined, literal: string | undefined) => {
    if (literal !== undefined) return quote(literal);
    if (directive === "%") return "'%'";
    const name = directive ?? "";
    if (date !== undefined && Object.hasOwn(COMPUTED, name)) return quote(COMPUTED[name]?.(date) ?? "");
    const token = Object.hasOwn(LUXON_TOKENS, name) ? LUXON_TOKENS[name] : undefined;
    if (token === undefined) throw new Error(`the date format ${JSON.stringify(strftime)} has the unknown directive %${name}`);
    return token;
  });
}

export function strftime(date: DateTime, format: string): string {
  return date.setLocale("en-US").toFormat(toLuxonFormat(format, date));
}

/** @throws Error when the text is not of that format. */
export function strptime(text: string, format: string): DateTime {
  const parsed = DateTime.fromFormat(text, toLuxonFormat(format), { zone: "utc", locale: "en-US" });
  if (!parsed.isValid) throw new Error(`${JSON.stringify(text)} is not a date of the format ${JSON.stringify(format)}`);
  return parsed;
}

/** Airflow's `ts`: "2024-01-31T00:00:00+00:00", with milliseconds only where there are some. */
export function isoWithOffset(date: DateTime): string {
  return date.toISO({ suppressMilliseconds: true, includeOffset: true })?.replace(/Z$/, "+00:00") ?? "";
}
