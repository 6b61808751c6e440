import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type BuildFailure, build, type Message, type Metafile, type Plugin } from "esbuild";
import { type BundledModule, toError, withEnvironment } from "../platform/index.ts";
import { boundedInputs, faultOf } from "./bounded-inputs.ts";
import { describeUnreadable, isAbsent, kindOfUnread, readRegularFile, remedyOf } from "./file-reads.ts";
import { importBounds, OUTSIDE } from "./import-bounds.ts";
import { DagFileError } from "./import-error.ts";
import { externalPackages } from "./native-packages.ts";
import { packageNameOf } from "./package-name.ts";

/** A DAG file with more code is a mistake (a bundled data set), and would slow down every worker. */
export const MODULE_MAX_BYTES = 32 * 1024 * 1024;

/** `inputs` are the absolute paths of the files in the module: the DAG file first, then helpers and files of packages. */
export type DagFileBundle = BundledModule & { inputs: string[] };

/** Extensions of text files that a DAG may import as strings, since it cannot read its own folder on a worker. */
export const TEXT_EXTENSIONS = [".sql", ".txt", ".md", ".csv", ".yaml", ".yml", ".html", ".jinja", ".j2", ".sh"];

/**
 * CommonJS packages inside an ES module expect these three names. They are added to the first line without a line break, so that
 * the lines of the source map stay correct, and only if the code uses them, so that a DAG file may declare its own.
 */
const COMMONJS_NAMES =
  'import { createRequire as __baramRequire } from "node:module"; import { fileURLToPath as __baramPath } from "node:url"; ' +
  "const require = __baramRequire(import.meta.url), __filename = __baramPath(import.meta.url), __dirname = __baramPath(new URL('.', import.meta.url)); ";

/**
 * Bundles a DAG file and all its imports into one ES module, with an inline source map whose paths are relative to the folder, so
 * that the same files give the same hash on every machine. Types are stripped, not checked. Throws `DagFileError` of kind
 * `syntax`, `unresolved_import`, `unreadable` or `too_large`, with the position. `importFolders`: see import-bounds.ts.
 */
export async function bundleDagFile(path: string, folder: string, importFolders: readonly string[] = []): Promise<DagFileBundle> {
  const root = await realpath(folder);
  const file = resolve(root, path);
  const named = await readNamedExternals(root);
  const foundNative = new Set<string>();
  const buildNow = () =>
    buildOnce(file, root, [importBounds(root, importFolders), boundedInputs(), externalPackages(named, foundNative)]);
  let result = await buildNow();
  // A native package is only recognized when its .node file is imported, and its code is already bundled then: build again
  // without it.
  if (foundNative.size > 0) result = await buildNow();
  const code = withCommonJsNames(result.code);
  if (Buffer.byteLength(code) > MODULE_MAX_BYTES) {
    const message = `the file and what it imports make ${Buffer.byteLength(code)} bytes, more than the ${MODULE_MAX_BYTES} allowed: read data at run time, or name large packages under "baram": {"external": []} in the DAG folder's package.json`;
    throw new DagFileError("too_large", message, { file: toRelative(file, root) });
  }
  return {
    code,
    hash: createHash("sha256").update(code).digest("hex"),
    externals: listExternals(result.metafile),
    inputs: listInputs(result.metafile, root, file),
  };
}

async function buildOnce(file: string, root: string, plugins: Plugin[]) {
  try {
    // Its process gets no environment: it would show the secrets of this one.
    const result = await withEnvironment({}, () =>
      build({
        entryPoints: [file],
        absWorkingDir: root,
        outfile: join(root, "dag.mjs"),
        write: false,
        bundle: true,
        metafile: true,
        format: "esm",
        platform: "node",
        target: "node20",
        charset: "utf8",
        legalComments: "none",
        logLevel: "silent",
        sourcemap: "inline",
        // The source text of packages would only make modules larger; the source of the DAG file itself is stored separately.
        sourcesContent: false,
        // A tsconfig in or above the folder could change the code without being one of the inputs.
        tsconfigRaw: { compilerOptions: {} },
        loader: Object.fromEntries(TEXT_EXTENSIONS.map((extension) => [extension, "text" as const])),
        plugins,
      }),
    );
    return { code: result.outputFiles[0]?.text ?? "", metafile: result.metafile };
  } catch (error) {
    throw toImportError(error, toRelative(file, root), root);
  }
}

function withCommonJsNames(code: string): string {
  return /Dynamic require of|\b__dirname\b|\b__filename\b/.test(code) &&
    !/\b(?:const|let|var) (?:__dirname|__filename|require)\b/.test(code)
    ? COMMONJS_NAMES + code
    : code;
}

function toImportError(error: unknown, file: string, root: string): DagFileError {
  const errors = isBuildFailure(error) ? error.errors : [];
  const missing = [...new Set(errors.flatMap(missingPackageOf))];
  // Missing packages are reported before other errors: one installation solves all of them.
  const [first, ...rest] = [...errors].sort((a, b) => rankOf(a) - rankOf(b));
  if (!first) return new DagFileError("internal", `the bundler failed: ${toError(error).message}`, { file });
  const unread = remedyForUnread(first.text);
  const fault = faultOf(first);
  const isUnresolved = first.text.startsWith("Could not resolve") || first.text.startsWith(OUTSIDE);
  const kind = fault !== null ? fault : unread !== null ? "unreadable" : isUnresolved ? "unresolved_import" : "syntax";
  const { location } = first;
  const text = unread === null ? first.text : `${first.text}; ${unread}`;
  const message = missing.length === 0 ? text : tellMissing(missing, root);
  return new DagFileError(kind, message, {
    file: location?.file ?? file,
    line: location?.line ?? null,
    // esbuild counts columns from 0, editors from 1.
    column: location ? location.column + 1 : null,
    detail: [location?.lineText ?? "", ...first.notes.map((note) => note.text), ...rest.map(describeMessage)].join("\n").trim(),
  });
}

/** Null = the bundler could read the file. */
function remedyForUnread(text: string): string | null {
  if (!/^Cannot read (?:file|directory) /.test(text)) return null;
  return remedyOf(text.endsWith("permission denied") ? "EACCES" : text.endsWith("symbolic links") ? "ELOOP" : "unknown");
}

/** The npm package of an import that is not installed. */
function missingPackageOf({ text }: Message): string[] {
  const specifier = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  const name = specifier === undefined ? null : packageNameOf(specifier);
  return name === null ? [] : [name];
}

/** Files that cannot be read come before the imports that fail because of them. */
function rankOf(message: Message): number {
  if (missingPackageOf(message).length > 0) return 0;
  return remedyForUnread(message.text) === null && faultOf(message) === null ? 2 : 1;
}

function tellMissing(names: readonly string[], root: string): string {
  const what =
    names.length === 1
      ? `the npm package "${names[0]}" is not installed`
      : `the npm packages ${names.map((name) => `"${name}"`).join(", ")} are not installed`;
  return `${what}; run "npm install ${names.join(" ")}" in ${projectFolder(root)}`;
}

/** The folder where npm would install packages: the nearest one with a package.json, otherwise the DAG folder. */
function projectFolder(root: string): string {
  for (let folder = root; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) return root;
  }
}

function describeMessage({ text, location }: Message): string {
  return location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text;
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

function listExternals(metafile: Metafile): string[] {
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  const names = imports.filter((entry) => entry.external).flatMap((entry) => packageNameOf(entry.path) ?? []);
  return [...new Set(names)].sort();
}

function listInputs(metafile: Metafile, root: string, file: string): string[] {
  const files = Object.keys(metafile.inputs).filter((input) => !/^[a-z-]+:/i.test(input) && !input.startsWith("("));
  return [file, ...files.map((input) => resolve(root, input)).filter((input) => input !== file)].sort((a, b) =>
    a === file ? -1 : b === file ? 1 : a < b ? -1 : 1,
  );
}

async function readNamedExternals(root: string): Promise<string[]> {
  const path = join(root, "package.json");
  const content = await readRegularFile(path).catch((error: unknown) => {
    // If an unreadable package.json were treated as missing, the packages that it names would be bundled.
    if (!isAbsent(error)) throw new DagFileError(kindOfUnread(error), describeUnreadable(path, error), { file: "package.json" });
    return null;
  });
  if (content === null) return [];
  try {
    const manifest: { baram?: { external?: unknown } } | null = JSON.parse(content.toString("utf8"));
    const named = manifest?.baram?.external;
    return Array.isArray(named) ? named.filter((name) => typeof name === "string") : [];
  } catch (error) {
    const message = `the DAG folder's package.json is not JSON: ${toError(error).message}`;
    throw new DagFileError("syntax", message, { file: "package.json" });
  }
}

function toRelative(file: string, root: string): string {
  return relative(root, file).split(sep).join("/");
}
