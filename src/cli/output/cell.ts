/** Control characters would move the cursor or colour the terminal; a name from a DAG file must not be able to. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** A value on one line: null is empty, dates are ISO 8601, lists and objects are JSON. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString();
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  const text = typeof value === "string" ? value : isList ? value.join(", ") : JSON.stringify(value);
  return text.replace(CONTROL, (letter) => SHORT[letter] ?? `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** The width of a text in terminal columns: letters of East Asian scripts and emoji take two. */
export function cellWidth(text: string): number {
  let width = 0;
  for (const letter of text) width += isWide(letter.codePointAt(0) ?? 0) ? 2 : /\p{Mn}|\u200d/u.test(letter) ? 0 : 1;
  return width;
}

function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}
