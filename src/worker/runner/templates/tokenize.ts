export type Token = { readonly kind: TokenKind; readonly text: string; readonly line: number; readonly column: number };
/** `text` is what stands between tags; `open` and `close` are the ends of a tag, without their `-`. */
export type TokenKind = "text" | "open" | "close" | "name" | "number" | "string" | "symbol" | "end";

/** @throws Error "syntax error: …" with the place in the template. */
export function failAt(at: { line: number; column: number }, reason: string): never {
  throw new Error(`syntax error: line ${at.line}, column ${at.column}: ${reason}`);
}

const SPACE = /\s+/y;
const NAME = /[\p{L}_$][\p{L}\p{M}\p{N}_$]*/uy;
const NUMBER = /\d[\d_]*(?:\.\d[\d_]*)?(?:e[-+]?\d+)?/iy;
// Longer symbols first.
const SYMBOL = /===|!==|==|!=|<=|>=|\/\/|\*\*|[-+*/%~|.,:()[\]{}<>=]/y;
const TAG = /\{([{%#])(-?)/g;
const RAW = /\s*(raw|verbatim)\s*(-?)%\}/y;
/** Python's, and the two quotes. */
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "",
};
const CODE = /x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})/y;

/**
 * Splits a template into tokens. A `-` at the inside of a tag removes the space on its outside. What stands in
 * `{% raw %}` is text. Every step moves on in the source, so the time is linear.
 */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const place = createPlaces(source);
  let at = 0;
  let trimsStart = false;

  const addText = (text: string, from: number, trimsEnd: boolean) => {
    const start = trimsStart ? text.trimStart() : text;
    const trimmed = trimsEnd ? start.trimEnd() : start;
    if (trimmed !== "") tokens.push({ kind: "text", text: trimmed, ...place(from) });
  };

  while (at < source.length) {
    TAG.lastIndex = at;
    const tag = TAG.exec(source);
    addText(source.slice(at, tag?.index), at, tag?.[2] === "-");
    trimsStart = false;
    if (tag === null) break;
    const inside = tag.index + tag[0].length;
    if (tag[1] === "#") {
      const end = source.indexOf("#}", tag.index + 2);
      if (end === -1) failAt(place(tag.index), "the comment has no end, #}");
      trimsStart = end > inside && source[end - 1] === "-";
      at = end + 2;
      continue;
    }
    const raw = tag[1] === "%" ? match(RAW, source, inside) : null;
    if (raw !== null) {
      const end = new RegExp(`\\{%(-?)\\s*end${raw[1]}\\s*(-?)%\\}`, "g");
      end.lastIndex = inside + raw[0].length;
      const found = end.exec(source);
      if (found === null) failAt(place(tag.index), `{% ${raw[1]} %} has no {% end${raw[1]} %}`);
      trimsStart = raw[2] === "-";
      addText(source.slice(inside + raw[0].length, found.index), inside, found[1] === "-");
      trimsStart = found[2] === "-";
      at = end.lastIndex;
      continue;
    }
    const close = tag[1] === "{" ? "}}" : "%}";
    tokens.push({ kind: "open", text: `{${tag[1]}`, ...place(tag.index) });
    // `{%+` keeps the space before it, as `{%` does here.
    const plus = tag[1] === "%" && source[inside] === "+" ? 1 : 0;
    const end = tokenizeTag(source, inside + plus, close, place, tokens);
    trimsStart = end.trims;
    at = end.at;
  }
  tokens.push({ kind: "end", text: "the end of the template", ...place(source.length) });
  return tokens;
}

/** The tokens up to and with the tag's end. Braces are counted, so that `}}` can end two dicts. */
function tokenizeTag(source: string, from: number, close: string, place: (at: number) => Place, tokens: Token[]) {
  let at = from;
  let braces = 0;
  while (at < source.length) {
    const space = match(SPACE, source, at);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const dash = source[at] === "-" ? 1 : 0;
    if (braces === 0 && source.startsWith(close, at + dash)) {
      tokens.push({ kind: "close", text: close, ...place(at) });
      return { at: at + dash + close.length, trims: dash === 1 };
    }
    const character = source[at];
    if (character === '"' || character === "'") {
      const { text, end } = readString(source, at, place);
      tokens.push({ kind: "string", text, ...place(at) });
      at = end;
      continue;
    }
    const [kind, found] = matchOne(source, at);
    if (found === undefined) failAt(place(at), `unexpected ${JSON.stringify(String.fromCodePoint(source.codePointAt(at) ?? 0))}`);
    if (found === "{") braces += 1;
    if (found === "}") braces -= 1;
    tokens.push({ kind, text: found, ...place(at) });
    at += found.length;
  }
  return failAt(place(source.length), `expected ${close}, got the end of the template`);
}

function matchOne(source: string, at: number): [TokenKind, string | undefined] {
  const name = match(NAME, source, at)?.[0];
  if (name !== undefined) return ["name", name];
  const number = match(NUMBER, source, at)?.[0];
  if (number !== undefined) return ["number", number];
  return ["symbol", match(SYMBOL, source, at)?.[0]];
}

function readString(source: string, from: number, place: (at: number) => Place): { text: string; end: number } {
  const quote = source[from];
  const parts: string[] = [];
  for (let at = from + 1; at < source.length; at += 1) {
    const character = source[at] ?? "";
    if (character === quote) return { text: parts.join(""), end: at + 1 };
    if (character !== "\\") parts.push(character);
    else {
      at += 1;
      const escaped = source[at] ?? "";
      const code = match(CODE, source, at);
      const [all = "", ...numbers] = code ?? [];
      if (code !== null) {
        const point = numbers[3] === undefined ? Number.parseInt(all.slice(1), 16) : Number.parseInt(all, 8);
        if (point > 0x10ffff) failAt(place(from), `\\${all} is no character`);
        parts.push(String.fromCodePoint(point));
        at += all.length - 1;
      } else if (/[xuUN]/.test(escaped)) {
        failAt(
          place(from),
          `the escape \\${escaped} in the text is incomplete or unknown: write \\x41, \\u00e9, or \\\\${escaped}`,
        );
      } else {
        // As in Python, what is no escape keeps its backslash.
        parts.push(Object.hasOwn(ESCAPES, escaped) ? (ESCAPES[escaped] ?? "") : `\\${escaped}`);
      }
    }
  }
  return failAt(place(from), "the text has no end quote");
}

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

type Place = { line: number; column: number };

/** Line and column, from 1, of positions that only grow. */
function createPlaces(source: string): (at: number) => Place {
  let line = 1;
  let lineStart = 0;
  let scanned = 0;
  return (at) => {
    for (; scanned < at; scanned += 1) {
      if (source[scanned] !== "\n") continue;
      line += 1;
      lineStart = scanned + 1;
    }
    return { line, column: Math.max(1, at - lineStart + 1) };
  };
}
