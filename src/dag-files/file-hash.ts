import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { DagDefaults } from "../contracts/index.ts";
import { errnoOf, type FileReads, fileReads, isAbsent } from "./file-reads.ts";

const FUTURE_MS = 2_000;

/** Hashes files by content; a file is read again only if its size, inode or times have changed. */
export type FileHasher = {
  /**
   * SHA-256, hex, over the paths (relative to `root`) and contents of the inputs. A missing file, or one that cannot be read, is
   * included as such, with the errno. `seen`: files that were hashed in this scan are not hashed again, since most files share
   * some inputs.
   */
  hashInputs(root: string, inputs: readonly string[], seen?: SeenFiles): Promise<string>;
};
/** Hashes by path. */
export type SeenFiles = Map<string, Promise<string>>;

/**
 * `defaults` and `executors` also affect the result of a file, besides its text; if they change, all files are evaluated again.
 * The build of Baram is stored next to the hash (build.ts).
 */
export function createFileHasher(defaults: DagDefaults, executors: readonly string[], reads: FileReads = fileReads): FileHasher {
  const known = new Map<string, { identity: string; hash: string }>();

  const settings = JSON.stringify([executors, ...Object.entries(defaults).sort(([a], [b]) => (a < b ? -1 : 1))]);

  async function hashFile(path: string): Promise<string> {
    try {
      const facts = await reads.stat(path);
      const identity = `${facts.ino}:${facts.size}:${facts.mtimeNs}:${facts.ctimeNs}`;
      const before = known.get(path);
      if (before?.identity === identity) return before.hash;
      const hash = createHash("sha256")
        .update(await reads.read(path))
        .digest("hex");
      known.set(path, { identity, hash });
      return hash;
    } catch (error) {
      known.delete(path);
      return isAbsent(error) ? "missing" : `unreadable:${errnoOf(error)}`;
    }
  }

  return {
    async hashInputs(root, inputs, seen = new Map()) {
      const total = createHash("sha256").update(settings);
      for (const input of [...inputs, "package.json"]) {
        const path = resolve(root, input);
        const hash = seen.get(path) ?? hashFile(path);
        seen.set(path, hash);
        total.update(`\0${input}\0${await hash}`);
      }
      return total.digest("hex");
    },
  };
}

/**
 * The inputs to watch for a bundle's files, relative to `root`, sorted: own files as they are, and for each npm package only its
 * package.json, since the files of a package (possibly thousands) change only with its version.
 */
export function inputsToWatch(root: string, files: readonly string[]): string[] {
  const watched = files.map((file) => {
    const match = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(file);
    return relative(root, match?.[1] ? join(match[1], "package.json") : file)
      .split(sep)
      .join("/");
  });
  return [...new Set(watched)].sort();
}

/**
 * Whether one of the files was modified after `sinceMs` (epoch): the content that was read may then be outdated. A time in the
 * future comes from a wrong clock or an archive, and would otherwise always count as newer.
 */
export async function isAnyNewerThan(sinceMs: number, root: string, inputs: readonly string[]): Promise<boolean> {
  const times = await Promise.all(
    inputs.map((input) =>
      stat(resolve(root, input))
        .then((facts) => facts.mtimeMs)
        .catch(() => 0),
    ),
  );
  return times.some((mtimeMs) => mtimeMs >= sinceMs && mtimeMs <= Date.now() + FUTURE_MS);
}
