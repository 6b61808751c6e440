import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import nodeModule from "node:module";
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { BaramError } from "./errors.ts";

type LoadHook = (url: string, context: unknown, next: (url: string, context: unknown) => unknown) => unknown;
/** Node.js 22.15 and 24 have it, 20 does not. */
const { registerHooks } = nodeModule as { registerHooks?: (hooks: { load: LoadHook }) => { deregister(): void } };

/**
 * Imports a module of a module cache, whose folder has the SHA-256 of its code as its name. A task that runs as the same user
 * could have written other code into the cache, which would then run as another DAG. Throws `module_hash_mismatch`.
 *
 * Exactly the bytes that were checked are imported, where Node.js has load hooks in the same thread. Node.js 20 reads the file a
 * second time, some milliseconds later; hooks in a thread of their own would cost each runner 21 ms and 11 MB there.
 */
export async function importModule(path: string): Promise<unknown> {
  // Node resolves links too, so the hook sees this URL.
  const { href } = pathToFileURL(await realpath(path));
  const source = await readModule(path);
  const hooks = registerHooks?.({
    load: (url, context, next) => (url === href ? { format: "module", source, shortCircuit: true } : next(url, context)),
  });
  try {
    return await import(href);
  } finally {
    hooks?.deregister();
  }
}

/** Returns a check whether a module in a cache is still as its hash says: `module_hash_mismatch`, or an error of the file system. */
export function createModuleCheck(): (path: string) => Promise<void> {
  /** The state of a file whose content was right. Nobody can set the time of a file's last change. */
  const known = new Map<string, string>();
  return async (path) => {
    const { ino, size, ctimeMs } = await stat(path);
    const state = `${ino} ${size} ${ctimeMs}`;
    if (known.get(path) === state) return;
    known.delete(path);
    await readModule(path);
    known.set(path, state);
  };
}

async function readModule(path: string): Promise<Buffer> {
  const expected = basename(dirname(path));
  const code = await readFile(path);
  const actual = createHash("sha256").update(code).digest("hex");
  if (actual === expected) return code;
  const message = `the module in ${path} was changed: its code has the hash ${actual}. It is not run; find out who writes to this folder. It is fetched again for the next try`;
  throw new BaramError("module_hash_mismatch", message, { expected, actual, path });
}
