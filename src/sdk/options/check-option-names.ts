import { findSimilar } from "../../platform/index.ts";
import { DagDefinitionError, showValue } from "../definition-error.ts";

/** The names of valid options, and hints for names that people write in the wrong place. */
export type KnownOptions = {
  readonly names: readonly string[];
  /** Names from other tools, such as Airflow's, in lower case without `_`, mapped to the name in Baram. */
  readonly renamed?: Readonly<Record<string, string>>;
  readonly elsewhere?: readonly { readonly names: readonly string[]; readonly hint: (name: string) => string }[];
  /** What Airflow has and Baram does not: names as in `renamed`, mapped to what to do instead. */
  readonly lacking?: Readonly<Record<string, string>>;
  /** true = a class may have further options that it does not declare, so only clear misspellings of a known name are refused. */
  readonly isOpen?: boolean;
};

/** Up to this number of options, an error message lists all valid ones. */
const LISTED_MAX = 12;
/** One edit in seven letters: `retires` is a misspelled `retries`, while `owners` may be a separate option beside `owner`. */
const CLEAR_SIMILARITY = 0.84;

/**
 * Refuses options that nothing reads. An option that is undefined counts as not given.
 * @param where names the owner of the options, e.g. `DAG "sales"`.
 * @throws DagDefinitionError UNKNOWN_OPTION, naming each of them and the most similar valid name.
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

/** Names the owner of options in a message, before its id is validated: `DAG "sales"`, or `dag()` if it has no id. */
export function placeOf(unnamed: string, kind: string, id: unknown): string {
  return typeof id === "string" ? `${kind} "${id}"` : unnamed;
}

function hintFor(
  name: string,
  { names, renamed = {}, lacking = {}, elsewhere = [], isOpen = false }: KnownOptions,
): string | undefined {
  const isSame = (other: string) => plain(other) === plain(name);
  const own = names.find(isSame) ?? names.find((other) => Object.hasOwn(renamed, plain(name)) && other === renamed[plain(name)]);
  if (own !== undefined) return meant(own);
  if (Object.hasOwn(lacking, plain(name))) return lacking[plain(name)];
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
