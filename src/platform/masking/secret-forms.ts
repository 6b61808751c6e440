import { inspect } from "node:util";

/** Shorter texts are not masked: hiding every "a" would make a log unreadable (Airflow's limit, too). */
export const SECRET_MIN_LENGTH = 5;

/** Lines of `base64` and of PEM files. */
const BASE64_LINES = [76, 64];
/** The bytes of a Buffer that `inspect` shows. */
const INSPECTED_BYTES = 50;
/** JSON inside a string of JSON, as in a request's body that is logged. */
const JSON_DEPTH = 3;

/** The texts by which a secret is recognised: as it is, and in the encodings in which it travels. */
export function formsOf(secret: string): Set<string> {
  const forms = new Set<string>();
  const add = (form: string) => {
    if (form.length >= SECRET_MIN_LENGTH) forms.add(form);
  };
  for (const text of textsOf(secret)) {
    add(text);
    for (const form of escapedForms(text)) add(form);
  }
  for (const text of new Set([secret, secret.trim()])) {
    for (const form of [...urlForms(text), ...byteForms(text), ...base64Forms(text)]) add(form);
  }
  return forms;
}

/** The secret and, since a log is written line by line, each of its lines; but not the lines that frame a PEM file. */
function textsOf(secret: string): Set<string> {
  const lines = secret.split(/[\r\n]+/).flatMap((line) => [line, line.trim()]);
  const ownLines = lines.filter((line) => !/^-----.*-----$/.test(line.trim()) && line.trim().length >= SECRET_MIN_LENGTH);
  return new Set([secret, secret.trim(), ...ownLines]);
}

/** As strings of JSON, JavaScript, the shell and HTML show it. */
function escapedForms(text: string): string[] {
  const forms: string[] = [];
  let json = text;
  for (let depth = 0; depth < JSON_DEPTH; depth++) {
    json = JSON.stringify(json).slice(1, -1);
    forms.push(json);
    if (depth === 0) forms.push(asciiJson(json), json.replaceAll("/", "\\/"));
    if (json === text) break;
  }
  forms.push(inspect(text, { breakLength: Number.POSITIVE_INFINITY, maxStringLength: null }).slice(1, -1));
  if (text.includes("'")) forms.push(text.replaceAll("'", `'\\''`), text.replaceAll("'", "\\'"), text.replaceAll("'", "''"));
  if (/[&<>"'`=/]/.test(text)) forms.push(...htmlForms(text));
  return forms;
}

/** As Python writes JSON: everything beyond ASCII as \uXXXX. */
function asciiJson(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const HTML_QUOTES: readonly (readonly [string, string])[] = [
  ["&quot;", "&#39;"],
  ["&quot;", "&#x27;"],
  ["&quot;", "&#039;"],
  ["&quot;", "&apos;"],
  ["&#34;", "&#39;"],
  ["&quot;", "'"],
  ['"', "'"],
];

function htmlForms(text: string): string[] {
  const base = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const forms = HTML_QUOTES.map(([double, single]) => base.replaceAll('"', double).replaceAll("'", single));
  const strict = forms.map((form) => form.replaceAll("`", "&#96;").replaceAll("\\", "&#92;"));
  // Handlebars; Mustache and mustache.js encode "/", too.
  const templates = forms.map((form) => form.replaceAll("=", "&#x3D;").replaceAll("`", "&#x60;"));
  return [...forms, ...strict, ...templates, ...templates.map((form) => form.replaceAll("/", "&#x2F;"))];
}

/** `encodeURIComponent`, stricter and laxer encoders, a form's, a URL's user part; also in lower case and encoded twice. */
function urlForms(text: string): string[] {
  // Half of a surrogate pair cannot be encoded.
  const whole = Buffer.from(text, "utf8").toString("utf8");
  const component = encodeURIComponent(whole);
  const strict = component.replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ a: whole }).toString().slice(2);
  const forms = [
    component,
    strict,
    encodeURI(whole),
    form,
    form.replaceAll("+", "%20"),
    strict.replaceAll("%2F", "/"),
    userPart(whole),
  ];
  const cased = forms.map((one) => one.replace(/%[\dA-F]{2}/g, (byte) => byte.toLowerCase()));
  return [...forms, ...cased, encodeURIComponent(component), encodeURIComponent(form)];
}

function userPart(text: string): string {
  const url = new URL("http://host");
  url.password = text;
  return url.password;
}

/** Byte by byte: hex, as `inspect` shows a Buffer, as JSON shows the numbers in one, and percent-encoded without exception. */
function byteForms(text: string): string[] {
  return bytesOf(text).flatMap((bytes) => {
    const hex = bytes.toString("hex");
    const percent = hex.replace(/../g, "%$&");
    const inspected = bytes
      .subarray(0, INSPECTED_BYTES)
      .toString("hex")
      .replace(/..(?=.)/g, "$& ");
    return [hex, hex.toUpperCase(), percent, percent.toUpperCase(), inspected, bytes.join(","), bytes.join(", ")];
  });
}

/**
 * At each of the three places that bytes can have in base64, without the characters that its neighbours share; of the text and
 * of its JSON, in both alphabets, and broken into lines.
 */
function base64Forms(text: string): string[] {
  const forms: string[] = [];
  for (const one of new Set([text, JSON.stringify(text).slice(1, -1)])) {
    for (const bytes of bytesOf(one)) {
      for (const before of [0, 1, 2]) {
        const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
        const own = encoded.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
        forms.push(own);
        if (!/[+/]/.test(own)) continue;
        forms.push(own.replaceAll("+", "-").replaceAll("/", "_"), encodeURIComponent(own), own.replaceAll("/", "\\/"));
      }
      const whole = bytes.toString("base64").replace(/=+$/, "");
      for (const width of BASE64_LINES) {
        if (whole.length <= width) continue;
        for (let at = 0; at < whole.length; at += width) forms.push(whole.slice(at, at + width));
      }
    }
  }
  return forms;
}

/** In UTF-8, and as `btoa` takes it. */
function bytesOf(text: string): Buffer[] {
  const utf8 = Buffer.from(text, "utf8");
  return /[\u0080-\u00ff]/.test(text) && !/[\u0100-\uffff]/.test(text) ? [utf8, Buffer.from(text, "latin1")] : [utf8];
}
