import { readdir, stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { BaseSensor, type TaskContext } from "../../sdk/index.ts";
import { matchesGlob } from "./match-glob.ts";

export type FileSensorOptions = {
  /** A file or folder, or a glob (`*`, `?`, `**`). A folder counts once there is a file in it. Templated. */
  path: string;
  /** Look for files in a folder's folders, too. Default false. */
  recursive?: boolean;
};

/** Waits for a file. Looks at the worker's own file system; returns the path that was found. */
export class FileSensor extends BaseSensor<FileSensorOptions, string, "path"> {
  static override readonly templateFields: readonly string[] = ["path"];

  async poke(ctx: TaskContext) {
    const { path, recursive = false } = this.options;
    const found = /[*?[{]/.test(path) ? await findByGlob(path) : await findFile(path, recursive);
    if (found === undefined) {
      ctx.logger.info(`${path} is not there yet`);
      return { done: false };
    }
    ctx.logger.info(`found ${found}`);
    return { done: true, value: found };
  }
}

async function findFile(path: string, recursive: boolean): Promise<string | undefined> {
  const facts = await stat(path).catch(ignoreAbsence);
  if (facts === undefined) return undefined;
  if (!facts.isDirectory()) return path;
  const entries = await readdir(path, { withFileTypes: true, recursive });
  const file = entries.find((entry) => !entry.isDirectory());
  return file === undefined ? undefined : join(file.parentPath, file.name);
}

async function findByGlob(pattern: string): Promise<string | undefined> {
  const absolute = resolve(pattern);
  const parts = absolute.split(sep);
  const firstWild = parts.findIndex((part) => /[*?[{]/.test(part));
  const root = parts.slice(0, firstWild).join(sep) || sep;
  // Without ** nothing deeper than the pattern can match: do not walk a whole tree for "data/*.csv".
  const recursive = parts.length - firstWild > 1 || absolute.includes("**");
  const entries = await readdir(root, { withFileTypes: true, recursive }).catch(ignoreAbsence);
  const paths = (entries ?? []).filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return paths.sort().find((path) => matchesGlob(path, absolute));
}

function ignoreAbsence(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw error;
}
