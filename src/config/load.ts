import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { parse as parseToml, TomlError } from "smol-toml";
import { COUNT_MAX, DURATION_MAX_SEC, DURATION_MAX_TEXT } from "../contracts/bounds/index.ts";
import { BaramError, findSimilar } from "../platform/index.ts";
import { type Environment, ownEnvironment } from "./environment.ts";
import { MEANINGLESS_OPTIONS } from "./meaningless-options.ts";
import type { OptionSpec } from "./option-spec.ts";
import { type ConfigValues, OPTIONS } from "./options.ts";
import { renamedOption } from "./renamed-options.ts";

export type OptionSource = "default" | "file" | "environment";
export type Config = ConfigValues & {
  /** BARAM_HOME as an absolute path. */
  readonly home: string;
  readonly sources: Readonly<Record<string, OptionSource>>;
  /** Airflow's options in the configuration that have no effect here, with the reasons; logged when a role starts. */
  readonly meaningless: readonly MeaninglessOption[];
  /** The files that secret options were read from. */
  readonly secretFiles: readonly SecretFile[];
};

/** `where`: the variable that names the file. */
export type SecretFile = { readonly where: string; readonly path: string };

export type MeaninglessOption = { readonly where: string; readonly why: string };

/**
 * Loads the configuration from the defaults, then BARAM_HOME/baram.toml, then BARAM__SECTION__NAME, or for a secret
 * BARAM__SECTION__NAME_FILE, which names a file that contains it. Throws `config_invalid` for
 * an invalid value, and `config_unknown_option` for an unknown name, since a misspelled option would otherwise be silently
 * ignored. Names that only Airflow has are returned in `meaningless`.
 */
export function loadConfig(environment: Environment = ownEnvironment(), cwd: string = process.cwd()): Config {
  const home = resolve(cwd, environment.BARAM_HOME || ".baram");
  const file = readConfigFile(join(home, "baram.toml"));
  const sources: Record<string, OptionSource> = {};
  const values: Record<string, Record<string, unknown>> = {};
  const secretFiles: SecretFile[] = [];
  const meaningless = sortOutNames(file, environment, join(home, "baram.toml"));

  for (const [section, names] of Object.entries(OPTIONS)) {
    const filled: Record<string, unknown> = {};
    for (const [name, spec] of Object.entries<OptionSpec>(names)) {
      const variable = variableFor(section, name);
      const fromEnvironment = spec.secret ? secretOf(environment, variable) : environment[variable];
      const fromFile = file[section]?.[name];
      if (fromEnvironment !== undefined && fromEnvironment !== "") {
        filled[name] = parseValue(spec, fromEnvironment, variable);
        sources[`${section}.${name}`] = "environment";
        const path = spec.secret ? environment[variable + FILE_SUFFIX] : undefined;
        if (path) secretFiles.push({ where: variable + FILE_SUFFIX, path: resolve(path) });
      } else if (fromFile !== undefined) {
        filled[name] = parseValue(spec, fromFile, `[${section}] ${name} in baram.toml`);
        sources[`${section}.${name}`] = "file";
      } else {
        filled[name] = spec.default;
        sources[`${section}.${name}`] = "default";
      }
    }
    values[section] = filled;
  }
  const config = { ...values, home, sources, meaningless, secretFiles } as unknown as Config;
  return withAbsolutePaths(config);
}

export function variableFor(section: string, name: string): string {
  return `BARAM__${section}__${name}`.toUpperCase();
}

/** As container runtimes hand over secrets: a mounted file, and its path in the environment. */
const FILE_SUFFIX = "_FILE";

function secretOf(environment: Environment, variable: string): string | undefined {
  const path = environment[variable + FILE_SUFFIX];
  if (path === undefined || path === "") return environment[variable];
  const refuse = (what: string, error?: unknown) =>
    new BaramError("config_invalid", `${variable + FILE_SUFFIX} is ${path}, ${what}.`, { path }, error);
  if (environment[variable]) throw refuse(`and ${variable} is set too: remove one of them`);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw refuse(`which cannot be read: ${(error as Error).message}`, error);
  }
  // Editors and `echo` end a file with a line end, which belongs to no secret.
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw refuse("which is empty: put the secret into it");
  return secret;
}

function withAbsolutePaths(config: Config): Config {
  const { home } = config;
  return {
    ...config,
    core: {
      ...config.core,
      dags_folder: isAbsolute(config.core.dags_folder)
        ? config.core.dags_folder
        : resolve(dirname(home), config.core.dags_folder),
    },
    logging: { ...config.logging, base_log_folder: resolve(home, config.logging.base_log_folder) },
  };
}

function readConfigFile(path: string): Record<string, Record<string, unknown>> {
  if (!existsSync(path)) return {};
  try {
    return parseToml(readFileSync(path, "utf8")) as Record<string, Record<string, unknown>>;
  } catch (error) {
    if (!(error instanceof TomlError))
      throw new BaramError("config_invalid", `${path} cannot be read: ${(error as Error).message}.`, { path }, error);
    const { line, column } = error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "");
    throw new BaramError(
      "config_invalid",
      `${path}:${line}:${column} is not valid TOML: ${reason}.`,
      { path, line, column },
      error,
    );
  }
}

/** Refuses unknown names, and returns those that only Airflow has. */
function sortOutNames(
  file: Record<string, Record<string, unknown>>,
  environment: Environment,
  path: string,
): MeaninglessOption[] {
  const found: MeaninglessOption[] = [];
  const whyNot = new Map(
    Object.entries(MEANINGLESS_OPTIONS).flatMap(([section, names]) =>
      Object.entries(names).flatMap(([name, why]) => {
        // Airflow 2 had the options of the dag-processor in [scheduler] and [core].
        const sections = section === "dag_processor" ? [section, "scheduler", "core"] : [section];
        return sections.map((one) => [variableFor(one, name), why] as const);
      }),
    ),
  );
  const judge = (variable: string, where: string, near: string | undefined) => {
    if (known.has(variable)) return;
    const why = whyNot.get(variable);
    if (why === undefined) throw refuseIndirect(variable, known) ?? unknownOption(where, near);
    found.push({ where, why });
  };
  const known = new Set(
    Object.entries(OPTIONS).flatMap(([section, names]) =>
      Object.entries<OptionSpec>(names).flatMap(([name, { secret }]) => {
        const variable = variableFor(section, name);
        return secret ? [variable, variable + FILE_SUFFIX] : [variable];
      }),
    ),
  );
  for (const [section, names] of Object.entries(file)) {
    if (!Object.hasOwn(OPTIONS, section)) {
      const first = Object.keys(Object(names)).find((name) => renamedOption(section, name) !== undefined);
      if (first === undefined) throw unknownOption(`[${section}] in ${path}`, nearSection(section));
      throw unknownOption(`[${section}] ${first} in ${path}`, renamedOption(section, first));
    }
    if (typeof names !== "object" || names === null || Array.isArray(names))
      throw new BaramError(
        "config_invalid",
        `"${section}" in ${path} must be a section: write [${section}] and its options below.`,
        {
          section,
        },
      );
    for (const name of Object.keys(names)) {
      judge(variableFor(section, name), `[${section}] ${name} in ${path}`, nearOption(section, name));
    }
  }
  for (const variable of Object.keys(environment)) {
    if (variable.startsWith("BARAM__")) judge(variable, variable, nearVariable(variable, known));
  }
  return found;
}

/** Airflow reads an option from the output of a command, or from a secrets backend. null = the variable is not of this kind. */
function refuseIndirect(variable: string, known: ReadonlySet<string>): BaramError | null {
  const option = variable.replace(/_(?:CMD|SECRET)$/, "");
  if (option === variable || !known.has(option)) return null;
  const instead = known.has(option + FILE_SUFFIX)
    ? `Put the secret into a file, and its path into ${option + FILE_SUFFIX}.`
    : `Set ${option} itself.`;
  return new BaramError(
    "config_unknown_option",
    `${variable} is not an option of Baram, which runs no command and asks no secrets backend for an option. ${instead}`,
    { where: variable },
  );
}

function unknownOption(where: string, near: string | undefined): BaramError {
  const remedy = near === undefined ? "Remove it," : `Did you mean ${near}? If not, remove it,`;
  return new BaramError(
    "config_unknown_option",
    `${where} is not an option of Baram. ${remedy} or see "baram config list" for the names.`,
    { where },
  );
}

export function nearSection(section: string): string | undefined {
  const near = findSimilar(section, Object.keys(OPTIONS));
  return near === undefined ? undefined : `[${near}]`;
}

function nearVariable(variable: string, known: ReadonlySet<string>): string | undefined {
  const [, section = "", ...rest] = variable.toLowerCase().split("__");
  const renamed = renamedOption(section, rest.join("__"));
  if (renamed === undefined) return findSimilar(variable, known);
  const [, newSection = "", name = ""] = /^\[(.+)\] (.+)$/.exec(renamed) ?? [];
  return variableFor(newSection, name);
}

/** An option with the same meaning, one of the section with a similar name, or one with the same name in another section. */
export function nearOption(section: string, name: string): string | undefined {
  const renamed = renamedOption(section, name);
  if (renamed !== undefined) return renamed;
  const table: Readonly<Record<string, object>> = OPTIONS;
  const near = findSimilar(name, Object.keys(table[section] ?? {}));
  if (near !== undefined) return `[${section}] ${near}`;
  const elsewhere = Object.keys(table).find((other) => Object.hasOwn(table[other] ?? {}, name));
  if (elsewhere !== undefined) return `[${elsewhere}] ${name}`;
  // The section exists, so its name was not the mistake.
  return Object.hasOwn(table, section) ? undefined : nearSection(section);
}

/** The scheme of a URL is not secret, and often the mistake. */
function hidden(raw: unknown): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(String(raw))?.[0];
  return scheme === undefined ? "(hidden)" : `"${scheme}…" (hidden)`;
}

function parseValue(spec: OptionSpec, raw: unknown, where: string): string | number | boolean {
  const refuse = (expected: string, near?: string): never => {
    const shown = spec.secret ? hidden(raw) : JSON.stringify(raw);
    throw new BaramError(
      "config_invalid",
      `${where} is ${shown}, but must be ${expected}.${near === undefined ? "" : ` Did you mean "${near}"?`}`,
      { where },
    );
  };
  if (spec.kind === "bool") {
    if (typeof raw === "boolean") return raw;
    const word = String(raw).trim().toLowerCase();
    if (["true", "1", "yes", "on", "t"].includes(word)) return true;
    if (["false", "0", "no", "off", "f"].includes(word)) return false;
    return refuse("true or false");
  }
  if (spec.kind === "string") {
    if (typeof raw !== "string") return refuse("a string");
    if (spec.values && !spec.values.includes(raw))
      return refuse(`one of ${spec.values.join(", ")}`, findSimilar(raw, spec.values));
    if (spec.form && !spec.form.matches.test(raw)) return refuse(spec.form.words);
    return raw;
  }
  const number = typeof raw === "number" ? raw : typeof raw === "string" ? Number(raw.trim() || "x") : Number.NaN;
  const unit = spec.unit ? ` (${spec.unit})` : "";
  if (!Number.isFinite(number)) return refuse(`a number${unit}`);
  if (spec.kind === "int" && !Number.isInteger(number)) return refuse(`a whole number${unit}`);
  if (spec.min !== undefined && number < spec.min) return refuse(`at least ${spec.min}${unit}`);
  const isDuration = spec.max === undefined && spec.unit === "s";
  const max = spec.max ?? (isDuration ? DURATION_MAX_SEC : COUNT_MAX);
  if (number > max) return refuse(`at most ${isDuration ? DURATION_MAX_TEXT : `${max}${unit}`}`);
  return number;
}
