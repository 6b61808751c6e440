import { statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../../config/index.ts";
import { DagFileError, findDagFiles, findPosition, readRegularFile } from "../../dag-files/index.ts";
import { findDagsFolder, requireDagsFolder } from "../../main/dags-folder.ts";
import { BaramError, findPackageRoot } from "../../platform/index.ts";
import type { DagDefinition } from "../../sdk/runtime.ts";
import { notFound, usageError } from "../errors.ts";
import { loadDefinitions } from "./load-definitions.ts";

/**
 * The DAG as its file defines it now. If no file is given, only files that contain the id as text are loaded: running every file
 * of a folder in this process only to search for an id could have any side effect.
 */
export async function findDefinition(
  dagId: string,
  options: { file: string | undefined; config: Config; cacheDir: string },
): Promise<DagDefinition> {
  const { file, config, cacheDir } = options;
  if (file !== undefined) return fromFile(dagId, resolve(file), cacheDir);
  let failure: unknown;
  const folders = dagFolders(config);
  for (const folder of folders) {
    for (const path of await filesWith(dagId, folder)) {
      try {
        const found = (await loadDefinitions(folder, path, cacheDir)).find((one) => one.dagId === dagId);
        if (found) return found;
      } catch (error) {
        failure ??= explain(error, join(folder, path));
      }
    }
  }
  if (failure) throw failure;
  if (!folders.includes(config.core.dags_folder)) requireDagsFolder(config);
  throw notFound("dag", `No file in ${folders.join(" or ")} defines a DAG "${dagId}". Name its file with --file.`);
}

async function fromFile(dagId: string, file: string, cacheDir: string): Promise<DagDefinition> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) throw usageError(`There is no file ${file}. Give --file the path of the DAG's file.`);
  if (found.isDirectory()) throw usageError(`${file} is a folder. Give --file the path of the DAG's file in it.`);
  const definitions = await loadDefinitions(dirname(file), basename(file), cacheDir).catch((error: unknown) => {
    throw explain(error, file);
  });
  const definition = definitions.find((one) => one.dagId === dagId);
  if (definition) return definition;
  const others = definitions.map((one) => `"${one.dagId}"`).join(", ") || "none";
  throw notFound("dag", `${file} does not define a DAG "${dagId}". It defines: ${others}.`);
}

function dagFolders(config: Config): string[] {
  const examples = join(findPackageRoot(), "examples", "dags");
  return [...(findDagsFolder(config) ? [config.core.dags_folder] : []), ...(config.core.load_examples ? [examples] : [])];
}

async function filesWith(text: string, folder: string): Promise<string[]> {
  const { files } = await findDagFiles(folder);
  const texts = await Promise.all(
    files.map((path) =>
      readRegularFile(join(folder, path)).then(
        (content) => content.toString("utf8"),
        () => "",
      ),
    ),
  );
  return files.filter((_, index) => texts[index]?.includes(text));
}

/** Adds the file to the error; the bundler reports the line, and an error of the file's own code has a stack. */
function explain(error: unknown, file: string): Error {
  if (error instanceof DagFileError) {
    const { line, column, message } = error.error;
    return new BaramError("dag_file_invalid", `${file}${line === null ? "" : `:${line}:${column}`}: ${message}`, {}, error);
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  const position = findPosition(cause.stack ?? "", dirname(file));
  const place = position === null ? file : `${join(dirname(file), position.file)}:${position.line}:${position.column}`;
  return new BaramError("dag_file_invalid", `${place} cannot be loaded: ${cause.name}: ${cause.message}`, {}, cause);
}
