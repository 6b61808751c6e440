import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleDagFile } from "../../dag-files/index.ts";
import { materializeModule } from "../../platform/index.ts";
import { collectDags, type DagDefinition } from "../../sdk/runtime.ts";

const INLINE_MAP = /\n\/\/# sourceMappingURL=data:application\/json;base64,([A-Za-z0-9+/=]+)\s*$/;

/**
 * Loads a DAG file in this process, so that a debugger stops in its source. Throws `DagFileError`, and any error that the file
 * throws. `path` is relative to the folder; the module is written below `cacheDir`.
 */
export async function loadDefinitions(folder: string, path: string, cacheDir: string): Promise<DagDefinition[]> {
  const root = await realpath(folder);
  // A user runs his own file here, and may import what he may read.
  const bundle = await bundleDagFile(path, root, [sep]);
  const code = withAbsoluteSources(bundle.code, root);
  const hash = createHash("sha256").update(code).digest("hex");
  const from = [dirname(join(root, path)), process.cwd()];
  const modulePath = await materializeModule({ hash, code, externals: bundle.externals }, cacheDir, from);
  return collectDags(() => import(pathToFileURL(modulePath).href));
}

/** The module is in another folder than its source files: a debugger finds those only by absolute paths. */
function withAbsoluteSources(code: string, root: string): string {
  const found = INLINE_MAP.exec(code);
  if (!found?.[1]) return code;
  const map = JSON.parse(Buffer.from(found[1], "base64").toString("utf8")) as { sources: string[] };
  map.sources = map.sources.map((source) => pathToFileURL(resolve(root, source)).href);
  const encoded = Buffer.from(JSON.stringify(map)).toString("base64");
  return `${code.slice(0, found.index)}\n//# sourceMappingURL=data:application/json;base64,${encoded}\n`;
}
