/**
 * What a DAG file may import: files of its DAG folder, packages in the node_modules that an operator has installed (in the DAG
 * folder, the working directory, or a parent of them), Baram itself, and the folders of [dag_processor] import_folders. Else
 * `import x from "../../secret.txt"`, or a link, would put any file that the dag-processor can read into a module that is stored and
 * shown. The bundler names files by their real paths. The files of a DAG folder must not be changed by others while they are
 * bundled: a link that is swapped in between the check and the bundler's own read is not seen.
 */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { Plugin } from "esbuild";
import { findPackageRoot } from "../platform/index.ts";

/** The beginning of the error's text, by which it is recognized. */
export const OUTSIDE = "Outside of the DAG folder: ";

/** `root`: the real path of the DAG folder. */
export function importBounds(root: string, importFolders: readonly string[]): Plugin {
  const installed = [...new Set([...parentsOf(root), ...parentsOf(realOf(process.cwd()))])].map((folder) =>
    join(folder, "node_modules"),
  );
  const allowed = [root, realOf(findPackageRoot()), ...importFolders.map(realOf), ...installed.map(realOf)];
  /** Packages that are installed as links, as npm does with those of a workspace. Listed only if a file is nowhere else. */
  let linked: readonly string[] | null = null;
  const isAllowed = (path: string) => {
    if (allowed.some((folder) => isBelow(path, folder))) return true;
    // A link in the DAG folder's own node_modules is its author's, and is not followed.
    linked ??= installed.filter((folder) => !isBelow(folder, root)).flatMap(linkedPackages);
    return linked.some((folder) => isBelow(path, folder));
  };
  return {
    name: "import-bounds",
    setup(build) {
      build.onLoad({ filter: /.*/, namespace: "file" }, ({ path }) => {
        if (isAllowed(path)) return undefined;
        const text = `${OUTSIDE}${path} is not imported. Move it into the DAG folder ${root}, install it as an npm package, or name its folder in [dag_processor] import_folders`;
        return { errors: [{ text }] };
      });
    },
  };
}

function linkedPackages(nodeModules: string): string[] {
  const entries = listFolder(nodeModules).flatMap((name) =>
    name.startsWith("@") ? listFolder(join(nodeModules, name)).map((inner) => join(name, inner)) : [name],
  );
  return entries.map((name) => join(nodeModules, name)).flatMap((path) => (existsSync(path) ? [realpathSync(path)] : []));
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // There is none here.
    return [];
  }
}

function parentsOf(path: string): string[] {
  return path === dirname(path) ? [path] : [path, ...parentsOf(dirname(path))];
}

function realOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
