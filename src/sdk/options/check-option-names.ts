import { findSimilar } from "../../platform/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";

/** What something takes, and where names belong that people write there by mistake. */
export type KnownOptions = {
  readonly names: readonly string[];
  /** Names from elsewhere, such as Airflow's, in lower case without `_`: the name here. */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly elsewhere?: readonly { readonly names: readonly string[]; readonly hint: (name: string) => string }[];
  /** Others may be known to a class that does not say which: only what is clearly a known name misspelled is refused. */
  readonly isOpen?: boolean;
};

/** Of what takes no more options than this, a message names all. */
const LISTED_MAX = 12;
/** One edit in seven letters: `retires` is meant to be `retries`, while `owners` may well be an option beside `owner`. */
const CLEAR_SIMILARITY = 0.84;

/**
 * Refuses options that nothing would ever read; one that is undefined counts as not given.
 * @param where names what has the options, e.g. `DAG "sales"`.
 * @throws DagDefinitionError UNKNOWN_OPTION, naming each of them and what was probably meant.
 */
export function checkOptionNames(where: string, given: object, known: KnownOptions): void {
  const options: unknown = given;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new DagDefinitionError("UNKNOWN_OPTION", `${where} takes an object of options, not ${showValue(options)}`);
  }
  const unknown = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined || known.names.includes(name)) return [];
    const hint = hintFor(name, known);
    return hint === undefined && known.isOpen ? [] : [{ name, hint }];
  });
  if (unknown.length === 0) return;
  const shown = unknown.map(({ name, hint }) => `"${name}"${hint === undefined ? "" : ` (${hint})`}`);
  const { length } = known.names;
  const takes =
    unknown.every(({ hint }) => hint !== undefined) || length === 0 || length > LISTED_MAX
      ? ""
      : `; it takes ${known.names.join(", ")}`;
  const own = known.isOpen ? `; if the class has an option of that name, name it in its static optionNames` : "";
  throw new DagDefinitionError(
    "UNKNOWN_OPTION",
    `${where} has ${unknown.length === 1 ? "an unknown option" : "unknown options"}: ${shown.join(", ")}${takes}${own}`,
    { options: unknown.map(({ name }) => name) },
  );
}

/** What a message calls the owner of options before its id is checked: `DAG "sales"`, or `dag()` where it has none. */
export function placeOf(unnamed: string, kind: string, id: unknown): string {
  return typeof id === "string" ? `${kind} "${id}"` : unnamed;
}

function hintFor(name: string, { names, renamed = {}, elsewhere = [], isOpen = false }: KnownOptions): string | undefined {
  const isSame = (other: string) => plain(other) === plain(name);
  const own = names.find(isSame) ?? names.find((other) => Object.hasOwn(renamed, plain(name)) && other === renamed[plain(name)]);
  if (own !== undefined) return meant(own);
  if (!isOpen) {
    for (const place of elsewhere) {
      const there = place.names.find(isSame);
      if (there !== undefined) return place.hint(there);
    }
  }
  const similar = findSimilar(name, names, isOpen ? CLEAR_SIMILARITY : undefined);
  return similar === undefined ? undefined : meant(similar);
}

function meant(name: string): string {
  return `did you mean "${name}"?`;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, "");
}
