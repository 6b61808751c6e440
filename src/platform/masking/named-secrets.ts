/**
 * The one rule by which the parts of a value are secret, for what is masked in logs and for what the API, the CLI and the audit log
 * show: everything below a sensitive name, and inside of a text what JSON, a URL or `name=value` name so.
 */
import type { NameRule } from "./sensitive-names.ts";

export const HIDDEN = "***";

/** What JSON may be nested at most elsewhere, too. Deeper parts are not looked into: they are hidden. */
export const DEPTH_MAX = 1_000;
/** Longer texts are not searched for names in them. */
const SEARCHED_CHARACTERS = 256 * 1024;

/** What stands beside `value` in a pair. */
const PAIR_NAME = /^(?:name|key)$/i;
/** scheme://user:password@ */
const USERINFO = /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s/?#"'<>@:]{0,512}:)([^\s/?#"'<>]{1,4096})(?=@)/gi;
/** name=value in a query, a connection string or a list of options. */
const ASSIGNED = /((?:^|[?&;,\s{(])([A-Za-z][\w.-]{0,63})\s{0,3}=\s{0,3})("[^"]{1,4096}"|'[^']{1,4096}'|[^&;,\s"'})]{1,4096})/g;
/** `Bearer …` and `Basic …` anywhere in a text; a token has a digit or is longer than words are. */
const BEARER = /\b(bearer\s{1,3})((?=[\w.~+/-]{20}|[\w.~+/-]{0,20}\d)[\w.~+/-]{8,4096}=*)/gi;
const BASIC = /\b(basic\s{1,3})([A-Za-z\d+/_-]{6,4096}=*)/gi;
/** The value of an Authorization header. */
const SCHEME = /^(basic|bearer|token|apikey|digest)\s+(\S.*)$/is;

/** Calls `found` with every secret in `value`. `isSecret`: the value's own name is sensitive. */
export function findSecrets(value: unknown, isSecret: boolean, rule: NameRule, found: (secret: string) => void, depth = 0): void {
  if (depth > DEPTH_MAX) return;
  if (typeof value === "string") {
    if (isSecret) found(value);
    const scheme = isSecret ? SCHEME.exec(value) : null;
    if (scheme?.[2] !== undefined) {
      found(scheme[2]);
      if (scheme[1]?.toLowerCase() === "basic")
        found(
          Buffer.from(scheme[2], "base64")
            .toString("utf8")
            .replace(/^[^:]*:/, ""),
        );
    }
    const json = parseJson(value);
    if (json !== undefined) findSecrets(json, isSecret, rule, found, depth + 1);
    else replaceInText(value, rule, (secret) => foundInText(secret, found));
  } else if (typeof value === "number" || typeof value === "bigint") {
    if (isSecret) found(String(value));
  } else if (Array.isArray(value)) {
    for (const one of value) findSecrets(one, isSecret, rule, found, depth + 1);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value))
      findSecrets(one, isSecret || isNamedSecret(value, name, rule), rule, found, depth + 1);
  }
}

function foundInText(secret: string, found: (secret: string) => void): string {
  found(secret);
  try {
    found(decodeURIComponent(secret));
  } catch {
    // Not percent-encoded.
  }
  return secret;
}

/** The value with *** in place of its secrets. Booleans and null are no secrets. */
export function hideSecrets<T>(value: T, rule: NameRule, depth = 0): T {
  return hideNamed(value, false, rule, depth) as T;
}

function hideNamed(value: unknown, isSecret: boolean, rule: NameRule, depth: number): unknown {
  if (value === null || value === undefined || typeof value === "boolean") return value;
  if (isSecret || depth > DEPTH_MAX) return HIDDEN;
  if (typeof value === "string") return hideInText(value, rule, depth);
  if (Array.isArray(value)) return value.map((one) => hideNamed(one, false, rule, depth + 1));
  if (typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, hideNamed(one, isNamedSecret(value, name, rule), rule, depth + 1)]),
  );
}

/** By its own name, or as a pair: `{ name: "API_KEY", value: … }`, as environments of containers are written. */
function isNamedSecret(object: object, name: string, rule: NameRule): boolean {
  if (rule(name)) return true;
  if (name !== "value" && name !== "Value") return false;
  return Object.entries(object).some(([other, one]) => PAIR_NAME.test(other) && typeof one === "string" && rule(one));
}

/** A text as it is shown: without the secrets that JSON, URLs and `name=value` in it hold. */
export function hideInText(text: string, rule: NameRule, depth = 0): string {
  const json = parseJson(text);
  if (json === undefined) return replaceInText(text, rule, () => HIDDEN);
  const before = JSON.stringify(json);
  const after = JSON.stringify(hideSecrets(json, rule, depth + 1));
  return before === after ? text : after;
}

/**
 * What is to be stored when a client sends back what it was shown, changed or not: the stored secret in each place where the shown
 * value still stands.
 */
export function restoreHidden(sent: unknown, stored: unknown, isSecret: boolean, rule: NameRule): unknown {
  if (stored === undefined) return sent;
  if (JSON.stringify(sent) === JSON.stringify(hideNamed(stored, isSecret, rule, 0))) return stored;
  if (isSecret) return sent;
  if (Array.isArray(sent) && Array.isArray(stored)) return sent.map((one, at) => restoreHidden(one, stored[at], false, rule));
  if (isObject(sent) && isObject(stored))
    return Object.fromEntries(
      Object.entries(sent).map(([name, one]) => [
        name,
        // By what is sent: a secret must not move to a name that does not hide it.
        restoreHidden(one, Object.hasOwn(stored, name) ? stored[name] : undefined, isNamedSecret(sent, name, rule), rule),
      ]),
    );
  if (typeof sent !== "string" || typeof stored !== "string") return sent;
  const [sentJson, storedJson] = [parseJson(sent), parseJson(stored)];
  if (sentJson === undefined || storedJson === undefined) return sent;
  const restored = restoreHidden(sentJson, storedJson, false, rule);
  return JSON.stringify(restored) === JSON.stringify(sentJson) ? sent : JSON.stringify(restored);
}

function replaceInText(text: string, rule: NameRule, replace: (secret: string) => string): string {
  if (text.length > SEARCHED_CHARACTERS) return text;
  const replaced = replaceSchemes(
    text.includes("://")
      ? text.replace(USERINFO, (_whole, before: string, secret: string) => `${before}${replace(secret)}`)
      : text,
    replace,
  );
  if (!replaced.includes("=")) return replaced;
  return replaced.replace(ASSIGNED, (whole: string, before: string, name: string, value: string) =>
    rule(name) ? `${before}${replace(value.replace(/^(["'])(.*)\1$/s, "$2"))}` : whole,
  );
}

function replaceSchemes(text: string, replace: (secret: string) => string): string {
  if (!/\b(?:bearer|basic)\s/i.test(text)) return text;
  return text
    .replace(BEARER, (_whole, before: string, token: string) => `${before}${replace(token)}`)
    .replace(BASIC, (whole, before: string, encoded: string) =>
      isUserAndPassword(encoded) ? `${before}${replace(encoded)}` : whole,
    );
}

/** "Basic knowledge" is no secret. */
function isUserAndPassword(encoded: string): boolean {
  return /^[^\p{Cc}\uFFFD:]*:[^\p{Cc}\uFFFD]*$/u.test(Buffer.from(encoded, "base64").toString("utf8"));
}

/** The objects and lists in a text that is JSON. */
function parseJson(text: string): unknown {
  if (text.length > SEARCHED_CHARACTERS || !/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
