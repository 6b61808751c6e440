import { randomUUID } from "node:crypto";
import { renameSync, statSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { MODULE_FILE } from "./module-cache.ts";

export type PruneOptions = {
  /** Maximum size of the cache, in bytes of code. */
  maxBytes: number;
  /** A module that was used more recently is kept: other processes on this machine may use the same cache. */
  unusedForMs: number;
  /** In milliseconds since the epoch. */
  now: number;
  isInUse(hash: string): boolean;
};

/**
 * Removes the least recently used modules from a cache until the rest is within the limit. Returns the hashes of the removed
 * modules. Also removes old drafts of killed processes.
 */
export async function pruneModules(cacheFolder: string, options: PruneOptions): Promise<string[]> {
  const names = await readdir(cacheFolder).catch(() => []);
  const isOld = (usedAt: number) => options.now - usedAt > options.unusedForMs;
  for (const name of names.filter((one) => one.startsWith(".draft-"))) {
    const found = await stat(join(cacheFolder, name)).catch(() => null);
    if (found && isOld(found.mtimeMs)) await rm(join(cacheFolder, name), { recursive: true, force: true });
  }
  const modules: { hash: string; sizeBytes: number; usedAt: number }[] = [];
  for (const hash of names.filter((one) => /^[0-9a-f]{64}$/.test(one))) {
    const found = await stat(join(cacheFolder, hash, MODULE_FILE)).catch(() => null);
    if (found) modules.push({ hash, sizeBytes: found.size, usedAt: found.mtimeMs });
  }
  let totalBytes = modules.reduce((sum, one) => sum + one.sizeBytes, 0);
  const removed: string[] = [];
  for (const { hash, sizeBytes } of modules.sort((a, b) => a.usedAt - b.usedAt)) {
    if (totalBytes <= options.maxBytes) break;
    const aside = join(cacheFolder, `.draft-${randomUUID()}`);
    try {
      // Checked again and moved away in the same turn of the event loop, so that no code of this process can start using it in
      // between.
      if (options.isInUse(hash) || !isOld(statSync(join(cacheFolder, hash, MODULE_FILE)).mtimeMs)) continue;
      renameSync(join(cacheFolder, hash), aside);
    } catch {
      // Another process was faster.
      continue;
    }
    removed.push(hash);
    totalBytes -= sizeBytes;
    await rm(aside, { recursive: true, force: true });
  }
  return removed;
}
