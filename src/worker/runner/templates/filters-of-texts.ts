import type { Budget } from "./budget.ts";
import { LookupNamespace } from "./lookup.ts";
import { isDate, measure, toList, toNumber, toPlainText, toText } from "./template-values.ts";

type TextFilter = (text: string, args: readonly unknown[], budget: Budget) => unknown;

/** A filter that is given a text, "" for null and false. Reading it costs its length, and so does the result. */
function ofText(parameters: readonly string[], apply: TextFilter) {
  return {
    parameters,
    apply(value: unknown, args: readonly unknown[], budget: Budget): unknown {
      const text = value === null || value === false ? "" : toText(value, budget);
      if (typeof value === "string" || isDate(value)) budget.text(text.length);
      const result = apply(text, args, budget);
      if (typeof result === "string") budget.text(result.length);
      return result;
    },
  };
}

const ESCAPED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  '"': "&quot;",
  "'": "&#39;",
  "<": "&lt;",
  ">": "&gt;",
  "\\": "&#92;",
  "`": "&#96;",
};

const capitalize = (text: string) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
const escapeHtml = ofText([], (text) => text.replace(/[&"'<>`\\]/g, (character) => ESCAPED[character] ?? character));
const asIs = ofText([], (text) => text);
const toJson = {
  parameters: ["indent"],
  apply(value: unknown, [indent]: readonly unknown[], budget: Budget) {
    if (typeof value === "function" || value instanceof LookupNamespace) return toText(value, budget);
    const spaces = indent === undefined ? 0 : Math.min(10, toNumber(indent, "the filter tojson"));
    measure(value, budget, spaces);
    return JSON.stringify(value, null, spaces);
  },
};

/** A text repeated, counted before it is made. */
function repeat(text: string, count: number, budget: Budget): string {
  const times = Math.max(0, Math.floor(count));
  budget.text(text.length * times);
  return text.repeat(times);
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

/** Tags of HTML and comments removed. Searches by position, because the usual pattern is quadratic in "<a<a<a". */
function stripTags(text: string): string {
  const kept: string[] = [];
  let at = 0;
  for (let open = text.indexOf("<"); open !== -1; open = text.indexOf("<", Math.max(at, open + 1))) {
    const isComment = text.startsWith("<!--", open);
    if (!isComment && !/^<\/?[a-z]/i.test(text.slice(open, open + 3))) continue;
    const close = text.indexOf(isComment ? "-->" : ">", open);
    if (close === -1) {
      if (!isComment) break;
      continue;
    }
    kept.push(text.slice(at, open));
    at = close + (isComment ? 3 : 1);
  }
  kept.push(text.slice(at));
  return kept.join("").trim();
}

function truncate(text: string, [length, killWords, end]: readonly unknown[]): string {
  const most = length === undefined ? 255 : toNumber(length, "the filter truncate");
  if (text.length <= most) return text;
  const space = killWords ? -1 : text.lastIndexOf(" ", most);
  return text.slice(0, space === -1 ? most : space) + (end === undefined || end === null ? "..." : toPlainText(end));
}

function linkWord(word: string, most: number, rel: string): string {
  const address = word.replace(/^(?:\(|<|&lt;)/, "").replace(/(?:[.,)]|&gt;)$/, "");
  const shown = address.slice(0, most);
  if (/^https?:\/\//.test(address)) return `<a href="${address}"${rel}>${shown}</a>`;
  if (address.startsWith("www.")) return `<a href="http://${address}"${rel}>${shown}</a>`;
  if (/^[\w.!#$%&'*+/=?^`{|}~-]+@[a-z\d-]+(?:\.[a-z\d-]+)+$/i.test(address)) return `<a href="mailto:${address}">${address}</a>`;
  return /\.(?:org|net|com)(?::|\/|$)/.test(address) ? `<a href="http://${address}"${rel}>${shown}</a>` : word;
}

function urlEncode(value: unknown, _args: readonly unknown[], budget: Budget): string {
  const encode = (part: unknown) => {
    const text = toText(part, budget);
    budget.text(3 * text.length);
    return encodeURIComponent(text);
  };
  if (typeof value !== "object" || value === null || isDate(value)) return encode(value);
  const entries = Array.isArray(value) ? value : Object.entries(value);
  return toList(entries, budget, "the filter urlencode")
    .map((entry) => (Array.isArray(entry) ? `${encode(entry[0])}=${encode(entry[1])}` : encode(entry)))
    .join("&");
}

export const TEXT_FILTERS = {
  capitalize: ofText([], capitalize),
  center: ofText(["width"], (text, [width], budget) => {
    const spaces = Math.max(0, (width === undefined ? 80 : toNumber(width, "the filter center")) - text.length);
    return repeat(" ", Math.floor(spaces / 2), budget) + text + repeat(" ", Math.ceil(spaces / 2), budget);
  }),
  dump: toJson,
  tojson: toJson,
  ds: ofText([], (text) => text.slice(0, 10)),
  ds_nodash: ofText([], (text) => text.slice(0, 10).replaceAll("-", "")),
  ts: asIs,
  e: escapeHtml,
  escape: escapeHtml,
  forceescape: escapeHtml,
  safe: asIs,
  string: asIs,
  indent: ofText(["width", "first"], (text, [width, first], budget) => {
    const lines = text.split("\n");
    const space = repeat(" ", width === undefined ? 4 : toNumber(width, "the filter indent"), budget);
    budget.text(space.length * lines.length);
    return lines.map((line, index) => (index === 0 && !first ? line : space + line)).join("\n");
  }),
  lower: ofText([], (text) => text.toLowerCase()),
  upper: ofText([], (text) => text.toUpperCase()),
  nl2br: ofText([], (text) => text.replace(/\r\n|\n/g, "<br />\n")),
  replace: ofText(["old", "new", "count"], (text, [from, to, count], budget) =>
    replaceText(
      text,
      toPlainText(from),
      toPlainText(to ?? ""),
      count === undefined ? -1 : toNumber(count, "the filter replace"),
      budget,
    ),
  ),
  striptags: ofText(["preserve_linebreaks"], (text, [keepsLines]) =>
    keepsLines
      ? stripTags(text)
          .split(/\r?\n/)
          .map((line) => line.trim().replace(/ +/g, " "))
          .join("\n")
          .replace(/\n{3,}/g, "\n\n")
      : stripTags(text).replace(/\s+/g, " "),
  ),
  title: ofText([], (text) => text.split(" ").map(capitalize).join(" ")),
  trim: ofText([], (text) => text.trim()),
  truncate: ofText(["length", "killwords", "end"], truncate),
  urlencode: { parameters: [], apply: urlEncode },
  urlize: ofText(["length", "nofollow"], (text, [length, nofollow]) => {
    const most = typeof length === "number" ? length : Number.POSITIVE_INFINITY;
    const words = text
      .split(/(\s+)/)
      .map((part) => (/^\s/.test(part) ? part : linkWord(part, most, nofollow === true ? ' rel="nofollow"' : "")));
    return words.join("");
  }),
  wordcount: ofText([], (text) => text.match(/\w+/g)?.length ?? null),
};
