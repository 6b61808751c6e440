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
  B: "MMMM",
  a: "ccc",
  A: "cccc",
  u: "c",
  V: "WW",
  G: "kkkk",
  Z: "ZZZZ",
  z: "ZZZ",
};

/** @throws Error naming a directive that is not supported. */
function toLuxonFormat(strftime: string): string {
  return strftime.replace(/%(.)|([^%]+)|%$/gs, (_match, directive: string | undefined, literal: string | undefined) => {
    if (literal !== undefined) return `'${literal.replaceAll("'", "''")}'`;
    if (directive === "%") return "'%'";
    const token = directive === undefined ? undefined : LUXON_TOKENS[directive];
    if (token === undefined)
      throw new Error(`the date format ${JSON.stringify(strftime)} has the unknown directive %${directive ?? ""}`);
    return token;
  });
}

export function strftime(date: DateTime, format: string): string {
  return date.setLocale("en-US").toFormat(toLuxonFormat(format));
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
