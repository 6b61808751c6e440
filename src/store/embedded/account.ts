import { createHash } from "node:crypto";
import { chownSync, cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeHome } from "../../config/index.ts";
import { BaramError } from "../../platform/index.ts";

/** The uid and gid the server runs under; undefined = our own. PostgreSQL refuses to run as root. */
export type Account = { uid: number; gid: number };

/**
 * Used instead of BARAM_HOME when root runs Baram and BARAM_HOME is in a folder that the unprivileged account cannot enter (such as
 * /root).
 */
const SHARED_FOLDER = "/var/lib/baram";

export function pickAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  // initdb needs an account with a passwd entry, so a bare uid is not enough.
  const entries = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const entry = entries.find(([user]) => user === name);
    if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  }
  throw new BaramError(
    "postgres_no_account",
    "PostgreSQL does not run as root, and there is no account 'postgres' or 'nobody' to run it under. Start Baram as an ordinary user, or set BARAM__DATABASE__URL.",
  );
}

/** The uid that the embedded server has, or would have. */
export function embeddedServerUid(): number | null {
  return pickAccount()?.uid ?? process.getuid?.() ?? null;
}

/** Makes the folder for the server's data. */
export function serverFolder(home: string, account: Account | undefined): string {
  makeHome(home);
  const folder = locateServerFolder(home, account);
  if (folder.startsWith(SHARED_FOLDER)) mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o755 });
  return ownFolder(folder, account);
}

/** Below BARAM_HOME, unless the account cannot enter it. BARAM_HOME must exist. */
export function locateServerFolder(home: string, account: Account | undefined): string {
  if (!account || isReachable(home)) return join(home, "postgres");
  return join(SHARED_FOLDER, createHash("sha256").update(home).digest("hex").slice(0, 12));
}

/** The folder with `bin/` and `lib/`: the npm package's own, or a copy that the account can reach. */
export function reachableBinaries(native: string, version: string, account: Account | undefined): string {
  if (!account || isReachable(native)) return native;
  const copy = join(SHARED_FOLDER, `postgresql-${version}`);
  if (existsSync(copy)) return copy;
  mkdirSync(SHARED_FOLDER, { recursive: true, mode: 0o755 });
  const partial = `${copy}.${process.pid}`;
  cpSync(native, partial, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(partial, copy);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

/** Makes `path` (mode 0700) for the account; refuses one that somebody else put there. */
export function ownFolder(path: string, account: Account | undefined): string {
  const made = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (made !== undefined && account) chownSync(path, account.uid, account.gid);
  const stat = lstatSync(path);
  const owner = account?.uid ?? process.getuid?.();
  if (!stat.isDirectory() || (owner !== undefined && stat.uid !== owner)) {
    throw new BaramError(
      "postgres_folder_taken",
      `${path} belongs to another user or is no folder. Remove it, or choose another BARAM_HOME.`,
      { path },
    );
  }
  return path;
}

/** Whether every folder down to `path` may be entered by others. */
function isReachable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
