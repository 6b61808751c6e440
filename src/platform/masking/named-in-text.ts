/**
 * Finds in a text what the names in it call a secret: `name=value`, `name: value`, `--name value`, JSON that is part of a text or does
 * not parse, YAML, headers, and passwords in URLs. Every step is linear in the text, so there is no length beyond which a secret is shown.
 */
import type { NameRule } from "./sensitive-names.ts";

/** scheme://user:password@ */
const USERINFO = /(:\/\/[^\s/?#"'<>@:]*:)([^\s/?#"'<>]+)(?=@)/g;
/**
 * A name with what assigns to it. A colon counts only if a blank or a quote stands at one of its sides: the one of a URN or of a port
 * assigns nothing. No other character may stand before the name than one that cannot be a part of it.
 */
const ASSIGNED = /(?<![\w.-])([\w.-]+)(\\*["'`]\]?|\])?[ \t]*(?:=>|={1,3}|:(?=[\s\\"'`[{]|$)|(?<=["'`]):)[ \t]*/g;
const QUOTED_NAME = /["'`]$/;
/** An option of a command with its value as the next word. */
const OPTION = /(?<![\w.-])(--?[A-Za-z][\w.-]*)[ \t]+(?=[^\s=:-])/g;
/** Not "a bearer token" or "basic authentication": what follows is long, or has a digit. */
const SCHEMED = /(?<![\w.-])((?:bearer|basic)[ \t]+)(?=[\w.~+/-]*\d|[\w.~+/-]{20})([\w.~+/-]{8,}=*)/gi;
const SCHEME = /(?:basic|bearer|token|apikey|digest|negotiate)[ \t]+(?=[^\s&;,"'})])/iy;
const WORD = /[^&;,\s"'})]*/y;
const BRACKETS = /["'`[\]{}]/g;
/** Of JSON that does not parse: texts and words, but not the names of fields. */
const IN_BRACKETS = /"([^"\\]*(?:\\.[^"\\]*)*)"(?!\s*:)|'([^'\\]*(?:\\.[^'\\]*)*)'(?!\s*:)|[:,[]\s*([^\s"'`,:[\]{}]+)(?!\s*:)/g;
const ESCAPES_MAX = 4;
/** Looking for the start of the line further back would not be cheap in one long line. */
const INDENTATION_MAX = 200;
const BEFORE_VALUE = /\s*/y;

/** The text with `replace(secret)` in place of each secret. */
export function replaceInText(text: string, rule: NameRule, replace: (secret: string) => string): string {
  const around = (_whole: string, before: string, secret: string) => `${before}${replace(secret)}`;
  const withoutUserinfo = text.includes("://") ? text.replace(USERINFO, around) : text;
  const withoutAssigned = /[=:]/.test(withoutUserinfo)
    ? replaceMatches(withoutUserinfo, ASSIGNED, rule, replace)
    : withoutUserinfo;
  const withoutOptions = withoutAssigned.includes("-") ? replaceMatches(withoutAssigned, OPTION, rule, replace) : withoutAssigned;
  return withoutOptions.replace(SCHEMED, around);
}

function replaceMatches(text: string, pattern: RegExp, rule: NameRule, replace: (secret: string) => string): string {
  const matcher = new RegExp(pattern);
  let shown = "";
  let from = 0;
  for (let match = matcher.exec(text); match !== null; match = matcher.exec(text)) {
    const [whole, name = "", quote = ""] = match;
    if (!rule(name)) continue;
    let at = match.index + whole.length;
    if (QUOTED_NAME.test(quote)) at = skip(BEFORE_VALUE, text, at);
    const isLine = quote === "" && whole.trimEnd().endsWith(":");
    const end = (isLine ? endOfEntry(text, match.index, at) : null) ?? endOfValue(text, at);
    if (end > at) {
      shown += `${text.slice(from, at)}${replace(text.slice(at, end))}`;
      from = end;
    }
    matcher.lastIndex = end;
  }
  return from === 0 ? text : shown + text.slice(from);
}

/**
 * The texts by which a value that stands in a text may be met elsewhere: as it is, without its quotes and escapes, line by line, and
 * without what may follow it in its line.
 */
export function readingsOf(value: string): Set<string> {
  const readings = new Set<string>();
  const lines = value.split("\n").map((line) => line.trim().replace(/^(?:- +)*(?:[\w.-]+:\s+)?/, ""));
  const firsts = lines.map((line) => line.slice(0, endOfValue(line, 0)));
  for (const one of [value, lines.join("\n"), ...lines, ...firsts]) {
    for (const plain of unquote(one)) {
      readings.add(plain);
      if (!plain.includes("%")) continue;
      try {
        readings.add(decodeURIComponent(plain));
      } catch {
        // Not percent-encoded.
      }
    }
  }
  if (/^[[{]/.test(value))
    for (const [, double, single, word] of value.matchAll(IN_BRACKETS)) readings.add(double ?? single ?? word ?? "");
  return readings;
}

/** Without its quotes; and without one more level of escapes for each backslash before them. */
function unquote(text: string): string[] {
  const opening = /^\\*["'`]/.exec(text)?.[0];
  if (opening === undefined) return [text];
  const isClosed = text.length > opening.length && text.endsWith(opening);
  const plain = [text.slice(opening.length, isClosed ? -opening.length : undefined)];
  try {
    while (plain.length <= ESCAPES_MAX && plain.at(-1)?.includes("\\")) plain.push(JSON.parse(`"${plain.at(-1)}"`));
  } catch {
    // No escapes of JSON, or not that many.
  }
  return plain;
}

/** A quoted text, what stands in brackets, or a word; with the name of an authentication scheme before it. */
function endOfValue(text: string, at: number): number {
  const quote = /\\*["'`]/y;
  quote.lastIndex = at;
  const opening = quote.exec(text)?.[0];
  if (opening !== undefined) return endOfQuoted(text, at + opening.length, opening);
  if (text[at] === "{" || text[at] === "[") return endOfBrackets(text, at);
  return skip(WORD, text, skip(SCHEME, text, at));
}

/** A quote with more backslashes before it than the opening one has is a part of the text. Without an end, all that follows is. */
function endOfQuoted(text: string, from: number, opening: string): number {
  const quote = opening.slice(-1);
  const depth = opening.length - 1;
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let backslashes = 0;
    while (at - backslashes > from && text[at - backslashes - 1] === "\\") backslashes++;
    if (backslashes <= depth || (depth === 0 && backslashes % 2 === 0)) return at + 1;
  }
  return text.length;
}

function endOfBrackets(text: string, from: number): number {
  const bracket = new RegExp(BRACKETS);
  bracket.lastIndex = from;
  let depth = 0;
  for (let match = bracket.exec(text); match !== null; match = bracket.exec(text)) {
    const [one] = match;
    if (one === "{" || one === "[") depth++;
    else if (one === "}" || one === "]") depth--;
    else {
      let start = match.index;
      while (start > from && text[start - 1] === "\\") start--;
      bracket.lastIndex = endOfQuoted(text, match.index + 1, text.slice(start, match.index + 1));
    }
    if (depth === 0) return bracket.lastIndex;
  }
  return text.length;
}

/**
 * Of a header or an entry of YAML, which begins its line: the rest of the line, and the lines that are indented more or, as YAML allows
 * it, begin a list below the name. Null if the name stands elsewhere in its line.
 */
function endOfEntry(text: string, nameAt: number, at: number): number | null {
  const before = /(?:^|\n)([ \t-]*)$/.exec(text.slice(Math.max(0, nameAt - INDENTATION_MAX), nameAt));
  if (before === null) return null;
  const column = before[1]?.length ?? 0;
  let end = endOfLine(text, at);
  while (end < text.length) {
    const indented = skip(/[ \t\r]*/y, text, end + 1);
    const isBlank = indented >= text.length || text[indented] === "\n";
    const isBelow = indented - end - 1 > column || (indented - end - 1 === column && text.startsWith("- ", indented));
    if (!isBlank && !isBelow) break;
    end = endOfLine(text, indented);
  }
  while (end > at && /\s/.test(text[end - 1] ?? "")) end--;
  return end;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

/** Where what the sticky `pattern` matches ends; `at` if it does not match. */
function skip(pattern: RegExp, text: string, at: number): number {
  const here = new RegExp(pattern);
  here.lastIndex = at;
  return here.test(text) ? here.lastIndex : at;
}
