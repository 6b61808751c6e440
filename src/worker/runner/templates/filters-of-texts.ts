import type { Budget } from "./budget.ts";
import { formatPercent } from "./format-text.ts";
import { LookupNamespace } from "./lookup.ts";
import { isTruthy } from "./operators.ts";
import { signatureOf } from "./template-function.ts";
import { describe, isDate, measure, toList, toNumber, toPlainText, toText } from "./template-values.ts";
import { padText, replaceText, stripText } from "./text-methods.ts";
import { fileSize, wrapWords } from "./wrap-words.ts";

type TextFilter = (text: string, args: readonly unknown[], budget: Budget) => unknown;

/** A filter of a text, or of the text of another value. Reading it costs its length, and so does the result. */
function ofText(signature: string, apply: TextFilter) {
  return {
    signature: signatureOf(signature),
    apply(value: unknown, args: readonly unknown[], budget: Budget): unknown {
      const text = toText(value, budget);
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
const escapeHtml = ofText("", (text) => text.replace(/[&"'<>`\\]/g, (character) => ESCAPED[character] ?? character));
const asIs = ofText("", (text) => text);
const toJson = (fallback: number) => ({
  signature: signatureOf(`indent=${fallback === 0 ? "None" : fallback}`),
  apply(value: unknown, [indent]: readonly unknown[], budget: Budget) {
    if (typeof value === "function" || value instanceof LookupNamespace) return toText(value, budget);
    const spaces = indent === undefined || indent === null ? fallback : Math.min(10, toNumber(indent, "the filter tojson"));
    measure(value, budget, spaces);
    return JSON.stringify(value, null, spaces);
  },
});

/** Tags of HTML and comments removed. Searches by position, because the usual pattern is quadratic in "<a<a<a". */
function stripTags(text: string): string {
  const kept: string[] = [];
  let at = 0;
  // Looked for once: a text of comments that never end would be searched to its end for each of them.
  const lastEnd = text.lastIndexOf("-->");
  for (let open = text.indexOf("<"); open !== -1; open = text.indexOf("<", Math.max(at, open + 1))) {
    const isComment = text.startsWith("<!--", open);
    if (!isComment && !/^<\/?[a-z]/i.test(text.slice(open, open + 3))) continue;
    if (isComment && lastEnd < open) continue;
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

function truncate(text: string, [length, killWords, end, leeway]: readonly unknown[]): string {
  const most = toNumber(length ?? 255, "the filter truncate");
  const ending = end === undefined || end === null ? "..." : toPlainText(end);
  if (most < ending.length)
    throw new Error(`the filter truncate needs a length of at least ${ending.length}, its end's, not ${most}`);
  if (text.length <= most + toNumber(leeway ?? 5, "the filter truncate")) return text;
  const cut = text.slice(0, most - ending.length);
  const space = isTruthy(killWords) ? -1 : cut.lastIndexOf(" ");
  return (space === -1 ? cut : cut.slice(0, space)) + ending;
}

function linkWord(word: string, most: number, rel: string): string {
  const address = word.replace(/^(?:\(|<|&lt;)/, "").replace(/(?:[.,)]|&gt;)$/, "");
  const shown = address.slice(0, most);
  if (/^https?:\/\//.test(address)) return `<a href="${address}"${rel}>${shown}</a>`;
  if (address.startsWith("www.")) return `<a href="http://${address}"${rel}>${shown}</a>`;
  if (/^[\w.!#$%&'*+/=?^`{|}~-]+@[a-z\d-]+(?:\.[a-z\d-]+)+$/i.test(address)) return `<a href="mailto:${address}">${address}</a>`;
  return /\.(?:org|net|com)(?::|\/|$)/.test(address) ? `<a href="http://${address}"${rel}>${shown}</a>` : word;
}

/** As Python's quote: a path keeps its slashes, and in a query a space is a plus. */
function urlEncode(value: unknown, _args: readonly unknown[], budget: Budget): string {
  const encode = (part: unknown, isQuery: boolean) => {
    const text = toText(part, budget);
    budget.text(3 * text.length);
    const encoded = encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, "\ufffd")).replace(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    return isQuery ? encoded.replaceAll("%20", "+") : encoded.replaceAll("%2F", "/");
  };
  if (typeof value !== "object" || value === null || isDate(value)) return encode(value, false);
  const entries = Array.isArray(value) ? value : Object.entries(value);
  return toList(entries, budget, "the filter urlencode")
    .map((entry) => {
      if (!Array.isArray(entry) || entry.length !== 2)
        throw new Error(`the filter urlencode needs a text, an object or pairs, not a list with ${describe(entry)}`);
      return `${encode(entry[0], true)}=${encode(entry[1], true)}`;
    })
    .join("&");
}

const dsNodash = (text: string) => text.slice(0, 10).replaceAll("-", "");
const tsNodash = (text: string) => text.slice(0, 19).replace(/[-:]/g, "");

export const TEXT_FILTERS = {
  capitalize: ofText("", capitalize),
  center: ofText("width=80", (text, [width], budget) =>
    padText(text, toNumber(width ?? 80, "the filter center"), " ", "both", budget),
  ),
  dump: toJson(0),
  tojson: toJson(0),
  pprint: toJson(2),
  ds: ofText("", (text) => text.slice(0, 10)),
  ds_nodash: ofText("", dsNodash),
  ts: asIs,
  ts_nodash: ofText("", tsNodash),
  ts_nodash_with_tz: ofText(
    "",
    (text) =>
      tsNodash(text) +
      text
        .slice(19)
        .replace(/^\.\d+/, "")
        .replace(":", ""),
  ),
  e: escapeHtml,
  escape: escapeHtml,
  filesizeformat: {
    signature: signatureOf("binary=False"),
    apply: (value: unknown, [binary]: readonly unknown[]) =>
      fileSize(toNumber(value, "the filter filesizeformat"), isTruthy(binary)),
  },
  forceescape: escapeHtml,
  format: ofText("*args, **kwargs", (text, [args, kwargs], budget) => {
    const named = kwargs instanceof Map ? Object.fromEntries(kwargs) : {};
    const list = Array.isArray(args) ? args : [];
    if (list.length > 0 && Object.keys(named).length > 0)
      throw new Error("the filter format takes values either by position or by name, not both");
    return formatPercent(text, list.length > 0 ? list : named, budget);
  }),
  safe: asIs,
  string: asIs,
  indent: ofText("width=4, first=False, blank=False", (text, [width, first, blank], budget) => {
    const lines = text.split("\n");
    const space =
      typeof width === "string" ? width : padText("", toNumber(width ?? 4, "the filter indent"), " ", "start", budget);
    budget.text(space.length * lines.length);
    const isIndented = (line: string, index: number) => (index === 0 ? isTruthy(first) : line !== "" || isTruthy(blank));
    return lines.map((line, index) => (isIndented(line, index) ? space + line : line)).join("\n");
  }),
  lower: ofText("", (text) => text.toLowerCase()),
  upper: ofText("", (text) => text.toUpperCase()),
  nl2br: ofText("", (text) => text.replace(/\r\n|\n/g, "<br />\n")),
  replace: ofText("old, new, count=None", (text, [from, to, count], budget) =>
    replaceText(text, toPlainText(from), toPlainText(to), toNumber(count ?? -1, "the filter replace"), budget),
  ),
  striptags: ofText("preserve_linebreaks=False", (text, [keepsLines]) =>
    isTruthy(keepsLines)
      ? stripTags(text)
          .split(/\r?\n/)
          .map((line) => line.trim().replace(/ +/g, " "))
          .join("\n")
          .replace(/\n{3,}/g, "\n\n")
      : stripTags(text).replace(/\s+/g, " "),
  ),
  title: ofText("", (text) =>
    text
      .split(/([-\s({[<]+)/)
      .map(capitalize)
      .join(""),
  ),
  trim: ofText("chars=None", (text, [chars]) => stripText(text, chars, true, true)),
  truncate: ofText("length=255, killwords=False, end='...', leeway=5", truncate),
  urlencode: { signature: signatureOf(""), apply: urlEncode },
  urlize: ofText("trim_url_limit|length=None, nofollow=False", (text, [length, nofollow]) => {
    const most = length === undefined || length === null ? Number.POSITIVE_INFINITY : toNumber(length, "the filter urlize");
    const words = text
      .split(/(\s+)/)
      .map((part) => (/^\s/.test(part) ? part : linkWord(part, most, nofollow === true ? ' rel="nofollow"' : "")));
    return words.join("");
  }),
  wordcount: ofText("", (text) => text.match(/\w+/g)?.length ?? 0),
  wordwrap: ofText(
    "width=79, break_long_words=True, wrapstring=, break_on_hyphens=True",
    (text, [width, breaksWords, end, breaksHyphens], budget) =>
      wrapWords(
        text,
        {
          width: toNumber(width ?? 79, "the filter wordwrap"),
          breaksWords: breaksWords === undefined || isTruthy(breaksWords),
          breaksHyphens: breaksHyphens === undefined || isTruthy(breaksHyphens),
          lineEnd: end === undefined || end === null ? "\n" : toPlainText(end),
        },
        budget,
      ),
  ),
};
