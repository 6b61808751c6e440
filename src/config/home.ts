import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { BaramError, FILE_MODE, FOLDER_MODE } from "../platform/index.ts";

const SECRETS = ["encryption_key", "jwt_secret", "admin_password", "postgres_password"] as const;

/**
 * The folders that Baram makes below BARAM_HOME, but for that of the embedded PostgreSQL, which closes it itself. Not what is in
 * them, which may be a million logs: nobody else reaches it.
 */
const FOLDERS = ["cache", "cache/modules", "demo", "logs", "worker", "worker/modules", "worker/logs"] as const;
/** Their modules were open in earlier versions, and are few. */
const MODULES = ["cache/modules", "worker/modules"] as const;

/**
 * BARAM_HOME is for its user alone. As root, others may pass through it and not list it: the embedded PostgreSQL runs under another
 * account, and what is in the folder has modes of its own.
 */
function homeMode(): number {
  return process.getuid?.() === 0 ? FOLDER_MODE | 0o011 : FOLDER_MODE;
}

/**
 * Makes BARAM_HOME and the folders above it. Not mkdir's `recursive`: in Node 20 it loops for ever on file systems that refuse
 * folders, such as /proc.
 */
export function makeHome(home: string): void {
  if (existsSync(home)) return;
  if (dirname(home) !== home) makeHome(dirname(home));
  try {
    mkdirSync(home, homeMode());
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/**
 * Takes the rights of other users on BARAM_HOME, its folders, its configuration and its secrets away, e.g. those of a home that was
 * made with `mkdir` or by an earlier version. `warn` is told of each, and once of all folders. Throws `secret_readable` for a secret that others can read and this user cannot change.
 */
export function closeHome(home: string, warn: (message: string) => void): void {
  if (!existsSync(home)) return;
  const extra = (path: string, allowed: number) => statSync(path).mode & 0o777 & ~allowed;
  for (const [path, allowed] of [[home, homeMode()] as const, [join(home, "baram.toml"), FILE_MODE] as const]) {
    if (!existsSync(path) || extra(path, allowed) === 0) continue;
    const was = shown(path);
    if (narrow(path, allowed)) warn(`Other users could read or change ${path} (mode ${was}); its mode is ${shown(path)} now.`);
    else
      warn(
        `Other users can read or change ${path} (mode ${was}), which belongs to another user. Its owner can set mode ${octal(allowed)}.`,
      );
  }
  closeFolders(home, warn);
  for (const path of SECRETS.map((name) => join(home, name))) {
    if (!existsSync(path)) continue;
    const was = shown(path);
    if (closeSecret(path))
      warn(
        `Other users could read the secret ${path} (mode ${was}); its mode is ${shown(path)} now. If somebody may have read it, replace it.`,
      );
  }
}

/** As root too, where others may pass through the home. A link is left alone: it leads to a folder of somebody's choice. */
function closeFolders(home: string, warn: (message: string) => void): void {
  const isFolder = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const modules = MODULES.map((name) => join(home, name))
    .filter(isFolder)
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const open = [...FOLDERS.map((name) => join(home, name)), ...modules].filter(
    (path) => isFolder(path) && (statSync(path).mode & 0o077) !== 0,
  );
  const left = open.filter((path) => !narrow(path, FOLDER_MODE));
  const [closed] = open.filter((path) => !left.includes(path));
  if (closed !== undefined)
    warn(
      `Other users could enter ${open.length - left.length} folders of BARAM_HOME, such as ${closed}; their mode is 0700 now.`,
    );
  if (left[0] !== undefined)
    warn(
      `Other users can enter ${left.length} folders of BARAM_HOME, such as ${left[0]}, which belong to another user. Their owner can set mode 0700.`,
    );
}

/**
 * Makes a secret readable for its owner alone; returns whether it was not. A group that the owner chose may read a secret of
 * another user: orchestrators mount secrets so. Throws `secret_readable`.
 */
export function closeSecret(path: string): boolean {
  const extra = statSync(path).mode & 0o077;
  if (extra === 0) return false;
  if (narrow(path, FILE_MODE)) return true;
  if ((extra & 0o007) === 0) return false;
  throw new BaramError(
    "secret_readable",
    `The secret ${path} has mode ${shown(path)}: every user of this machine can read it, and it belongs to another user. Let its owner set mode 0600, or 0440 and a group of this user.`,
    { path },
  );
}

/** false = the file belongs to another user, or cannot be changed. */
function narrow(path: string, allowed: number): boolean {
  const mode = statSync(path).mode & 0o777;
  try {
    chmodSync(path, mode & allowed);
    return true;
  } catch (error) {
    if (["EPERM", "EACCES", "EROFS"].includes(String((error as NodeJS.ErrnoException).code))) return false;
    throw error;
  }
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");
const shown = (path: string) => octal(statSync(path).mode & 0o777);
