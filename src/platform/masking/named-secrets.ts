/**
 * The one rule by which the parts of a value are secret, for what is masked in logs and for what the API, the CLI and the audit log
 * show: everything below a sensitive name, and inside of a text what JSON, a URL, `name=value` or the like name so.
 */
import { readingsOf, replaceInText } from "./named-in-text.ts";
import type { NameRule } from "./sensitive-names.ts";

export const HIDDEN = "***";

/** What JSON may be nested at most elsewhere, too. Deeper parts are not looked into: they are hidden. */
export const DEPTH_MAX = 1_000;
/** A longer text is not parsed: people do not see it, and secrets in it are found by its text alone. */
const PARSED_CHARACTERS = 4 * 1024 * 1024;

/** What stands beside `value` in a pair. */
const PAIR_NAME = /^(?:name|key)$/i;
/** The value of an Authorization header. */
const SCHEME = /^(basic|bearer|token|apikey|digest)\s+(\S.*)$/is;

/** Calls `found` with every secret in `value`. `isSecret`: the value's own name is sensitive. */
export function findSecrets(value: unknown, isSecret: boolean, rule: NameRule, found: (secret: string) => void, depth = 0): void {
  if (depth > DEPTH_MAX) return;
  if (typeof value === "string") {
    if (isSecret) found(value);
    if (isSecret) findInScheme(value, found);
    const json = parseJson(value);
    if (json !== undefined) findSecrets(json, isSecret, rule, found, depth + 1);
    else replaceInText(value, rule, (secret) => findInValue(secret, rule, found, depth));
  } else if (typeof value === "number" || typeof value === "bigint") {
    if (isSecret) found(String(value));
  } else if (Array.isArray(value)) {
    for (const one of value) findSecrets(one, isSecret, rule, found, depth + 1);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value))
      findSecrets(one, isSecret || isNamedSecret(value, name, rule), rule, found, depth + 1);
  }
}

function findInScheme(value: string, found: (secret: string) => void): void {
  const [, scheme, credentials] = SCHEME.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return;
  found(credentials);
  if (scheme.toLowerCase() === "basic")
    found(
      Buffer.from(credentials, "base64")
        .toString("utf8")
        .replace(/^[^:]*:/, ""),
    );
}

function findInValue(value: string, rule: NameRule, found: (secret: string) => void, depth: number): string {
  for (const reading of readingsOf(value)) {
    found(reading);
    findInScheme(reading, found);
    const json = parseJson(reading);
    if (json !== undefined) findSecrets(json, true, rule, found, depth + 1);
  }
  return value;
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

/** A text as it is shown: without the secrets that JSON, URLs, `name=value` and the like in it hold. */
export function hideInText(text: string, rule: NameRule, depth = 0): string {
  if (text.length > PARSED_CHARACTERS)
    return `${HIDDEN} (${text.length} characters: too large to be searched for secrets; the limit is ${PARSED_CHARACTERS})`;
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

/** The objects and lists in a text that is JSON. */
function parseJson(text: string): unknown {
  if (text.length > PARSED_CHARACTERS || !/^\s*[[{]/.test(text)) return undefined;
  try {
    // A byte order mark may stand before it.
    return JSON.parse(text.trim());
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
