import { createRequire, findSourceMap, type SourceMapping } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findSimilar } from "../../platform/index.ts";

const MISSING = /^The requested module '(baram(?:\/[\w/-]+)?)' does not provide an export named '(\w+)'$/;

/**
 * Explains an import of a name that Baram does not export: the entry point that exports it, or a similar name, and a stack with
 * the line of the import; null = another error. `modulePath`: the importing module, which determines the installation to which
 * "baram" resolves.
 */
export async function explainMissingExport(error: Error, modulePath: string): Promise<{ message: string; stack: string } | null> {
  const [, specifier, name] = MISSING.exec(error.message) ?? [];
  if (specifier === undefined || name === undefined) return null;
  const require = createRequire(modulePath);
  const { exports }: { exports: object } = require("baram/package.json");
  // The entry point of the Lambda function is not for DAG files; importing it would start it.
  const subpaths = Object.keys(exports).filter((subpath) => subpath === "." || /^\.\/(operators|providers\/)/.test(subpath));
  const known: { name: string; specifier: string }[] = [];
  for (const subpath of subpaths) {
    const from = `baram${subpath.slice(1)}`;
    const module: object = await import(pathToFileURL(require.resolve(from)).href);
    known.push(...Object.keys(module).map((each) => ({ name: each, specifier: from })));
  }
  const meant = findSimilar(
    name,
    known.map((each) => each.name),
  );
  const found = known.find((each) => each.name === name) ?? known.find((each) => each.name === meant);
  const hint = found === undefined ? "" : `: write import { ${found.name} } from "${found.specifier}"`;
  const message = `"${specifier}" does not export ${name}${hint}`;
  return { message, stack: `${error.name}: ${message}${findImport(error.stack ?? "", modulePath)}` };
}

/**
 * Such an error is thrown before any code runs, so it has no frames: Node puts the module's line, its text and a caret before the
 * message.
 */
function findImport(stack: string, modulePath: string): string {
  const [, line, indent = ""] = /^\S+:(\d+)\n.*\n(\s*)\^/.exec(stack) ?? [];
  if (line === undefined) return "";
  const entry: Partial<SourceMapping> = findSourceMap(modulePath)?.findEntry(Number(line) - 1, indent.length) ?? {};
  if (entry.originalSource === undefined) return "";
  const { originalSource, originalLine = 0, originalColumn = 0 } = entry;
  return `\n    at ${fileURLToPath(originalSource)}:${originalLine + 1}:${originalColumn + 1}`;
}
