import type { Budget } from "./budget.ts";
import { formatBraces } from "./format-text.ts";
import { callable } from "./template-function.ts";
import { describe, toNumber, toPlainText, toText } from "./template-values.ts";

type Bind = (text: string, budget: Budget) => unknown;

/** A method that takes nothing. */
const plain =
  (apply: (text: string) => unknown): Bind =>
  (text) =>
    callable("", () => apply(text));

/** Methods of strings that templates may call, Python's and some of JavaScript's names. A call costs the length of its text. */
export const TEXT_METHODS: Readonly<Record<string, Bind>> = {
  upper: plain((text) => text.toUpperCase()),
  lower: plain((text) => text.toLowerCase()),
  casefold: plain((text) => text.toLowerCase()),
  toUpperCase: plain((text) => text.toUpperCase()),
  toLowerCase: plain((text) => text.toLowerCase()),
  title: plain((text) => text.replace(/\p{L}+/gu, (word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())),
  capitalize: plain((text) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()),
  isdigit: plain((text) => /^\p{Nd}+$/u.test(text)),
  isnumeric: plain((text) => /^\p{N}+$/u.test(text)),
  isalpha: plain((text) => /^\p{L}+$/u.test(text)),
  isalnum: plain((text) => /^[\p{L}\p{N}]+$/u.test(text)),
  isupper: plain((text) => /\p{Lu}/u.test(text) && text === text.toUpperCase()),
  islower: plain((text) => /\p{Ll}/u.test(text) && text === text.toLowerCase()),
  isspace: plain((text) => /^\s+$/.test(text)),
  strip: (text) => callable("chars=None", (chars: unknown) => stripText(text, chars, true, true)),
  trim: (text) => callable("chars=None", (chars: unknown) => stripText(text, chars, true, true)),
  lstrip: (text) => callable("chars=None", (chars: unknown) => stripText(text, chars, true, false)),
  rstrip: (text) => callable("chars=None", (chars: unknown) => stripText(text, chars, false, true)),
  removeprefix: (text) =>
    callable("prefix", (prefix: unknown) => {
      const start = toPlainText(prefix);
      return text.startsWith(start) ? text.slice(start.length) : text;
    }),
  removesuffix: (text) =>
    callable("suffix", (suffix: unknown) => {
      const end = toPlainText(suffix);
      return end !== "" && text.endsWith(end) ? text.slice(0, -end.length) : text;
    }),
  split: (text, budget) =>
    callable("sep=None, maxsplit=-1", (separator: unknown, most: unknown) => splitText(text, separator, most, false, budget)),
  rsplit: (text, budget) =>
    callable("sep=None, maxsplit=-1", (separator: unknown, most: unknown) => splitText(text, separator, most, true, budget)),
  splitlines: (text, budget) => callable("", () => counted(splitLines(text), budget)),
  partition: (text) =>
    callable("sep", (separator: unknown) => {
      const by = toPlainText(separator);
      const at = text.indexOf(requireSeparator(by));
      return at === -1 ? [text, "", ""] : [text.slice(0, at), by, text.slice(at + by.length)];
    }),
  rpartition: (text) =>
    callable("sep", (separator: unknown) => {
      const by = toPlainText(separator);
      const at = text.lastIndexOf(requireSeparator(by));
      return at === -1 ? ["", "", text] : [text.slice(0, at), by, text.slice(at + by.length)];
    }),
  replace: (text, budget) =>
    callable("old, new, count=-1", (from: unknown, to: unknown, count: unknown) =>
      replaceText(text, toPlainText(from), toPlainText(to), countOr(count, "replace()"), budget),
    ),
  find: (text) => callable("sub", (part: unknown) => text.indexOf(toPlainText(part))),
  rfind: (text) => callable("sub", (part: unknown) => text.lastIndexOf(toPlainText(part))),
  index: (text) =>
    callable("sub", (part: unknown) => {
      const at = text.indexOf(toPlainText(part));
      if (at === -1) throw new Error(`index(): ${describe(text)} has no ${describe(part)}; find() gives -1 then`);
      return at;
    }),
  count: (text, budget) =>
    callable("sub", (part: unknown) => {
      const by = toPlainText(part);
      return by === "" ? text.length + 1 : counted(text.split(by), budget).length - 1;
    }),
  startswith: (text) => callable("prefix", (part: unknown) => anyOf(part, (each) => text.startsWith(each))),
  endswith: (text) => callable("suffix", (part: unknown) => anyOf(part, (each) => text.endsWith(each))),
  startsWith: (text) => callable("prefix", (part: unknown) => text.startsWith(toPlainText(part))),
  endsWith: (text) => callable("suffix", (part: unknown) => text.endsWith(toPlainText(part))),
  includes: (text) => callable("part", (part: unknown) => text.includes(toPlainText(part))),
  slice: (text) =>
    callable("start=0, end=None", (start: unknown, end: unknown) => text.slice(toPosition(start), toPosition(end))),
  zfill: (text, budget) =>
    callable("width", (width: unknown) => {
      const sign = /^[-+]/.test(text) ? text.charAt(0) : "";
      return sign + padText(text.slice(sign.length), toNumber(width, "zfill()") - sign.length, "0", "start", budget);
    }),
  ljust: (text, budget) => justify(text, "end", budget),
  rjust: (text, budget) => justify(text, "start", budget),
  center: (text, budget) => justify(text, "both", budget),
  format: (text, budget) =>
    callable("*args, **kwargs", (args: readonly unknown[], kwargs: ReadonlyMap<string, unknown>) =>
      formatBraces(text, args, kwargs, budget),
    ),
  join: (text, budget) =>
    callable("iterable", (parts: unknown) => {
      if (!Array.isArray(parts)) throw new Error(`join() needs a list, not ${describe(parts)}`);
      return joinList(parts, text, budget);
    }),
};

export const toPosition = (index: unknown) => (index === undefined || index === null ? undefined : toNumber(index, "a slice"));

function anyOf(given: unknown, test: (part: string) => boolean): boolean {
  return Array.isArray(given) ? given.some((part) => test(toPlainText(part))) : test(toPlainText(given));
}

function counted<T>(parts: readonly T[], budget: Budget): readonly T[] {
  budget.step(parts.length);
  return parts;
}

function countOr(count: unknown, use: string): number {
  return count === undefined || count === null ? -1 : toNumber(count, use);
}

function requireSeparator(separator: string): string {
  if (separator === "") throw new Error("the separator is empty");
  return separator;
}

/** Python's: a line feed at the end begins no line. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Searches by position, because patterns such as /\s+$/ are quadratic. */
export function stripText(text: string, chars: unknown, atStart: boolean, atEnd: boolean): string {
  if (chars === undefined || chars === null) {
    if (atStart && atEnd) return text.trim();
    return atStart ? text.trimStart() : text.trimEnd();
  }
  const stripped = new Set(toPlainText(chars));
  let start = 0;
  let end = text.length;
  while (atStart && start < end && stripped.has(text.charAt(start))) start += 1;
  while (atEnd && end > start && stripped.has(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function splitText(text: string, separator: unknown, maxSplit: unknown, fromEnd: boolean, budget: Budget): readonly string[] {
  const most = countOr(maxSplit, "split()");
  const limit = most < 0 ? Number.POSITIVE_INFINITY : Math.floor(most);
  if (separator !== undefined && separator !== null) {
    const by = requireSeparator(toPlainText(separator));
    const parts = counted(text.split(by), budget);
    if (parts.length - 1 <= limit) return parts;
    return fromEnd
      ? [parts.slice(0, parts.length - limit).join(by), ...parts.slice(parts.length - limit)]
      : [...parts.slice(0, limit), parts.slice(limit).join(by)];
  }
  const words = counted([...text.matchAll(/\S+/g)], budget);
  const plain = words.map((word) => word[0]);
  if (words.length - 1 <= limit) return plain;
  if (fromEnd) {
    const last = words[words.length - limit - 1];
    return [text.slice(0, (last?.index ?? 0) + (last?.[0].length ?? 0)), ...plain.slice(words.length - limit)];
  }
  return [...plain.slice(0, limit), text.slice(words[limit]?.index)];
}

export function replaceText(text: string, from: string, to: string, most: number, budget: Budget): string {
  budget.text(text.length);
  // As in Python, an empty text is found between all characters.
  const parts = from === "" ? ["", ...text, ""] : text.split(from);
  budget.step(parts.length);
  const count = Math.min(parts.length - 1, most < 0 ? parts.length : most);
  budget.text(count * to.length);
  const replaced = parts.slice(0, count + 1).join(to);
  return count === parts.length - 1 ? replaced : [replaced, ...parts.slice(count + 1)].join(from);
}

/** Counts what is added before it is made. */
export function padText(text: string, width: number, fill: string, where: "start" | "end" | "both", budget: Budget): string {
  const missing = Math.max(0, Math.floor(width) - text.length);
  budget.text(missing);
  // Python puts the odd character of a center to the left where the width is odd.
  const middle = Math.floor(missing / 2) + (missing % 2 === 1 && Math.floor(width) % 2 === 1 ? 1 : 0);
  const before = where === "start" ? missing : where === "end" ? 0 : middle;
  return fill.repeat(before) + text + fill.repeat(missing - before);
}

function justify(text: string, where: "start" | "end" | "both", budget: Budget) {
  return callable("width, fillchar=' '", (width: unknown, fill: unknown) => {
    const filler = fill === undefined ? " " : toPlainText(fill);
    if (filler.length !== 1) throw new Error(`the fill character must be one character, not ${describe(filler)}`);
    return padText(text, toNumber(width, "the width"), filler, where, budget);
  });
}

export function joinList(list: readonly unknown[], separator: string, budget: Budget): string {
  budget.text(separator.length * list.length);
  return list
    .map((part, at) => {
      if (part === undefined) throw new Error(`element ${at} of the joined list is undefined`);
      return toText(part, budget);
    })
    .join(separator);
}
