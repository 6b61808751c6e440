/**
 * Knows the secrets that one process of user code has seen, and replaces them in everything that leaves it. It lives as long as
 * that process: a module may keep a secret from one try to the next. Its memory is bounded: beyond SECRETS_MAX secrets or
 * CHARACTERS_MAX characters half of them are forgotten, which `takeWarning` says once: the older ones, and what only its name calls a secret
 * before what is one for certain.
 */
import { createFormMatcher, type FormMatcher } from "./form-matcher.ts";
import { DEPTH_MAX, findSecrets, HIDDEN } from "./named-secrets.ts";
import { formsOf, SECRET_MIN_LENGTH } from "./secret-forms.ts";
import { createNameRule, type NameRule } from "./sensitive-names.ts";

export type Masker = {
  /** The text is a secret. */
  add(secret: string): void;
  /** All texts and numbers in the value are secrets. */
  addValue(value: unknown): void;
  /** What in `value` is a secret by its name: the value's own, or one inside of it. */
  addNamed(name: string, value: unknown): void;
  /** A connection's password and what its other fields hold. */
  addConnection(connection: ConnectionSecrets): void;
  isSensitive(name: string): boolean;
  /** `isCut`: the text was cut at its end. Cuts that carry a mark are found without it. */
  mask(text: string, isCut?: boolean): string;
  /** JSON, with its texts masked, and everything below a sensitive name. */
  redact<T>(value: T): T;
  /** What a reader of the log must know, once; else null. */
  takeWarning(): string | null;
};

/** A connection, as far as it may hold secrets. */
export type ConnectionSecrets = { readonly password: string | null; readonly extra: object } & Readonly<
  Partial<Record<"host" | "schema" | "login" | "description", string | null>>
>;

const SECRETS_MAX = 1_000;
/** Of all forms together; a secret has about twenty times its own length in forms. */
const CHARACTERS_MAX = 4 * 1024 * 1024;
/** Of a longer secret, the beginning is masked; a line of a log is not longer. */
const SECRET_MAX_LENGTH = 64 * 1024;

/** `characters`: of its forms. `isCertain`: of a connection, or named by user code itself; kept longest. */
type KnownSecret = { readonly characters: number; readonly isCertain: boolean };

/** `rule`: which names are sensitive; default: Baram's own list. */
export function createMasker(rule: NameRule = createNameRule()): Masker {
  /** The one that was added last stands last. */
  const secrets = new Map<string, KnownSecret>();
  let characters = 0;
  let matcher: FormMatcher | null = null;
  let warning: string | null = null;
  let hasWarned = false;

  function warn(message: string): void {
    if (!hasWarned) warning = message;
    hasWarned = true;
  }

  const addByName = (secret: string) => add(secret, false);

  function add(given: string, isCertain = true): void {
    const secret = given.length > SECRET_MAX_LENGTH ? given.slice(0, SECRET_MAX_LENGTH) : given;
    const known = secrets.get(secret);
    if (known !== undefined) {
      secrets.delete(secret);
      secrets.set(secret, { ...known, isCertain: known.isCertain || isCertain });
      return;
    }
    if (secret.trim().length < SECRET_MIN_LENGTH) return;
    if (secret !== given)
      warn(`a secret has ${given.length} characters: only its first ${SECRET_MAX_LENGTH} are masked in logs and rendered fields`);
    learn(secret, isCertain);
    if (secrets.size > SECRETS_MAX || (characters > CHARACTERS_MAX && secrets.size > 1)) forgetHalf();
  }

  function learn(secret: string, isCertain: boolean): void {
    matcher ??= createFormMatcher();
    let length = 0;
    for (const form of formsOf(secret)) {
      matcher.add(form);
      length += form.length;
    }
    secrets.set(secret, { characters: length, isCertain });
    characters += length;
  }

  function forgetHalf(): void {
    warn(
      `this process has read more secrets than are kept in mind to mask them (${secrets.size} in ${characters} characters): the ones that were read first are not masked any more, those of variables and conf before those of connections`,
    );
    const inOrder = [...secrets].sort(([, a], [, b]) => Number(a.isCertain) - Number(b.isCertain));
    const kept = inOrder.slice(Math.ceil(secrets.size / 2));
    secrets.clear();
    characters = 0;
    matcher = null;
    for (const [secret, { isCertain }] of kept) learn(secret, isCertain);
  }

  const mask = (text: string, isCut = false) => (matcher === null ? text : matcher.replace(text, isCut));

  function redact(value: unknown, isSecret: boolean, depth: number): unknown {
    if (value === null || value === undefined || typeof value === "boolean") return value;
    if (isSecret || depth > DEPTH_MAX) return HIDDEN;
    if (typeof value === "string") return mask(value);
    if (Array.isArray(value)) {
      if (isSecretBytes(value)) return HIDDEN;
      const shown = value.map((one) => redact(one, false, depth + 1));
      return shown.every((one, at) => one === value[at]) ? value : shown;
    }
    if (typeof value === "object") return redactObject(value as Record<string, unknown>, depth);
    if (matcher === null) return value;
    const text = String(value);
    return mask(text) === text ? value : HIDDEN;
  }

  /** The bytes of a secret, as JSON shows a Buffer or another array of bytes. */
  function isSecretBytes(values: readonly unknown[]): boolean {
    if (matcher === null || values.length < SECRET_MIN_LENGTH || !values.every(isByte)) return false;
    const text = values.join(",");
    return mask(text) !== text;
  }

  /** The object itself if nothing in it is secret, as in most lines of a log: copying it would cost more than looking at it. */
  function redactObject(value: Record<string, unknown>, depth: number): unknown {
    let copy: [string, unknown][] | null = null;
    const names = Object.keys(value);
    if (names[0] === "0" && isSecretBytes(Object.values(value))) return HIDDEN;
    for (let at = 0; at < names.length; at++) {
      const name = names[at] ?? "";
      const shownName = mask(name);
      const shown = redact(value[name], rule(name), depth + 1);
      if (copy === null && (shown !== value[name] || shownName !== name)) copy = Object.entries(value).slice(0, at);
      copy?.push([shownName, shown]);
    }
    return copy === null ? value : Object.fromEntries(copy);
  }

  return {
    add: (secret) => add(secret),
    addValue: (value) => findSecrets(value, true, rule, add),
    addNamed: (name, value) => findSecrets(value, rule(name), rule, addByName),
    addConnection({ password, extra, host, schema, login, description }) {
      if (password) findSecrets(password, true, rule, add);
      findSecrets([extra, host, schema, login, description], false, rule, add);
    },
    isSensitive: rule,
    mask,
    redact: <T>(value: T) => redact(value, false, 0) as T,
    takeWarning() {
      const told = warning;
      warning = null;
      return told;
    },
  };
}

function isByte(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255;
}
