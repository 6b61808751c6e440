import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { Config } from "../config/index.ts";
import { type Account, type Accounts, BaramError, findPackageRoot, type Logger, SETPRIV } from "../platform/index.ts";
import { embeddedServerUid } from "../store/index.ts";
import { probeAccount } from "../worker/supervisor/index.ts";

/**
 * The operating system users of [workers] run_as_user, after a check that they can do what they must and nothing else; null = the
 * option is not set. Makes their folders.
 *
 * Throws `run_as_user_invalid`: user code would otherwise run with Baram's own rights.
 */
export function openAccounts(config: Config): Accounts | null {
  const user = config.workers.run_as_user;
  const ofDags = config.workers.run_as_user_of_dags;
  if (user === null) {
    if (ofDags === null) return null;
    throw invalid(
      "[workers] run_as_user_of_dags is set, but run_as_user is not. Set run_as_user to the user of all other DAGs.",
      {},
    );
  }
  checkRights();
  const folder = sharedFolder(config);
  if (`${folder}${sep}`.startsWith(`${config.home}${sep}`))
    throw invalid(
      `[workers] shared_folder is ${folder}, which is inside BARAM_HOME ${config.home}: run_as_user may not enter it. Set it to a folder outside.`,
      { path: folder },
    );
  makeFolder(folder, 0o755);
  makeFolder(join(folder, "modules"), 0o755);
  makeFolder(join(folder, "users"), 0o755);
  const accounts: Accounts = {
    account: openAccount(config, user, "run_as_user"),
    ofDags: usersOfDags(config).map((one) => ({
      pattern: one.pattern,
      account: openAccount(config, one.user, "run_as_user_of_dags"),
    })),
  };
  for (const account of new Set([accounts.account, ...accounts.ofDags.map((one) => one.account)])) checkAccount(config, account);
  return accounts;
}

/** Where modules are kept: with run_as_user outside of BARAM_HOME, which that user cannot enter. `own`: the place without it. */
export function moduleFolder(config: Config, own: string): string {
  return config.workers.run_as_user === null ? own : join(sharedFolder(config), "modules");
}

/** Where the user of [workers] run_as_user can write; null = the option is not set. */
export function homeOfUser(config: Config): string | null {
  const user = config.workers.run_as_user;
  return user === null ? null : accountFolders(config, findUser(user, "run_as_user").uid).home;
}

/** As root, user code can do anything on this machine; as nobody, what other programs that run as nobody can. */
export function warnOfTaskUsers(config: Config, logger: Logger): void {
  const user = config.workers.run_as_user;
  const users = [user, ...usersOfDags(config).map((one) => one.user)].flatMap((one) => one?.split(":")[0] ?? []);
  if (users.some((one) => one === "nobody" || one === NOBODY_UID))
    logger.warn(
      {},
      "[workers] run_as_user or run_as_user_of_dags names nobody, which other programs of this machine may run as: tasks can reach these, and Baram may end them. Set it to a user of its own.",
    );
  if (process.getuid?.() !== 0 || user !== null) return;
  logger.warn(
    {},
    "Baram runs as root, and so do tasks and DAG files: they can read BARAM_HOME and change this machine. Set [workers] run_as_user to a user without rights.",
  );
}

/** A secret in a file that any user of this machine can read, or somebody else can replace. */
export function warnOfSecretFiles(config: Config, logger: Logger): void {
  for (const { where, path } of config.secretFiles) {
    const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
    if ((mode & 0o027) === 0) continue;
    const shown = mode.toString(8).padStart(4, "0");
    logger.warn(
      { option: where, path, mode: shown },
      `${where} is ${path}, whose mode is ${shown}: other users of this machine can read or change this secret. Set mode 0600, or 0440 and a group of Baram's user.`,
    );
  }
}

const NOBODY_UID = "65534";

function usersOfDags({ workers }: Config): { pattern: string; user: string }[] {
  return (workers.run_as_user_of_dags ?? "")
    .split(",")
    .filter((pair) => pair.trim() !== "")
    .map((pair) => {
      const [pattern = "", user = ""] = pair.split("=").map((part) => part.trim());
      return { pattern, user };
    });
}

function sharedFolder({ home, workers }: Config): string {
  return resolve(home, workers.shared_folder ?? join(dirname(home), `${basename(home)}-tasks`));
}

const NEEDED = { CHOWN: 0, KILL: 5, SETGID: 6, SETUID: 7 };

function checkRights(): void {
  const uid = process.getuid?.();
  const effective = readCapabilities();
  const missing = Object.entries(NEEDED).flatMap(([name, bit]) =>
    effective === null || (effective >> BigInt(bit)) & 1n ? [] : [`CAP_${name}`],
  );
  const isAmbient = uid === 0 || existsSync(SETPRIV);
  if (uid === undefined || (effective === null && uid !== 0) || missing.length > 0)
    throw invalid(
      `[workers] run_as_user needs the right to start and end processes of another user; Baram runs as uid ${uid ?? "unknown"}${missing.length > 0 ? ` without ${missing.join(", ")}` : ""}. Start Baram as root, or with these capabilities in its ambient set (docs/workers.md), or remove the option.`,
      { missing },
    );
  if (!isAmbient) throw invalid(`[workers] run_as_user needs ${SETPRIV} if Baram does not run as root. Install util-linux.`, {});
}

/** Linux only; null elsewhere. */
function readCapabilities(): bigint | null {
  try {
    return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1]}`);
  } catch {
    return null;
  }
}

function openAccount(config: Config, user: string, option: string): Account {
  const { name, uid, gid } = findUser(user, option);
  const forbidden = uid === 0 ? "root" : uid === process.getuid?.() ? "the user that Baram itself runs as" : null;
  if (forbidden !== null)
    throw invalid(`[workers] ${option} is ${user}, which is ${forbidden}. Set it to a user that has no rights and no files.`, {
      user,
    });
  if (config.database.url === null && uid === embeddedServerUid())
    throw invalid(
      `[workers] ${option} is ${user}, which runs the embedded PostgreSQL and can read its data. Set it to a user of its own.`,
      { user },
    );
  const { folder, home, temporary } = accountFolders(config, uid);
  const account = { name, uid, gid, home, temporary };
  makeFolder(folder, 0o711);
  for (const path of [account.home, account.temporary]) makeFolder(path, 0o700, account);
  return account;
}

function accountFolders(config: Config, uid: number): { folder: string; home: string; temporary: string } {
  const folder = join(sharedFolder(config), "users", String(uid));
  return { folder, home: join(folder, "home"), temporary: join(folder, "tmp") };
}

function findUser(user: string, option: string): { name: string; uid: number; gid: number } {
  const [who = "", group] = user.split(":");
  const entries = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const entry = entries.find(([name, , uid]) => (/^\d+$/.test(who) ? uid === who : name === who));
  if (entry === undefined && !/^\d+$/.test(who))
    throw invalid(`[workers] ${option} is ${user}, but /etc/passwd has no user ${who}. Create it, or write uid:gid.`, { user });
  const uid = Number(entry?.[2] ?? who);
  const gid = Number(group ?? entry?.[3] ?? who);
  if (!(uid > 0 && gid > 0))
    throw invalid(`[workers] ${option} is ${user}, which is root or in root's group. Set it to another user.`, { user });
  return { name: entry?.[0] ?? who, uid, gid };
}

/** Makes a folder with exactly this mode and owner. One that belongs to somebody else is refused, since they could replace what is in it. */
function makeFolder(path: string, mode: number, owner?: { uid: number; gid: number }): void {
  try {
    const made = mkdirSync(path, { recursive: true, mode });
    if (made !== undefined && owner !== undefined) chownSync(path, owner.uid, owner.gid);
    const stat = lstatSync(path);
    if (!stat.isDirectory() || stat.uid !== (owner?.uid ?? process.getuid?.()))
      throw invalid(
        `${path} is not a folder of uid ${owner?.uid ?? process.getuid?.()}. Remove it, or set [workers] shared_folder to another place.`,
        { path },
      );
    // Only its owner and root may; what is not ours was made with this mode.
    if (owner === undefined || process.getuid?.() === 0) chmodSync(path, mode);
  } catch (error) {
    if (error instanceof BaramError) throw error;
    throw invalid(
      `The folder ${path} for processes of run_as_user cannot be made (${(error as Error).message}). Make it and give it to uid ${owner?.uid ?? process.getuid?.()}, or set [workers] shared_folder to another place.`,
      { path },
      error,
    );
  }
}

function checkAccount(config: Config, account: Account): void {
  const root = findPackageRoot();
  const dags = config.core.dags_folder;
  // A DAG folder that does not exist yet is watched for, and is not an error without the option either.
  const read = [join(root, "package.json"), join(root, "dist"), ...(existsSync(dags) ? [dags] : [])];
  const closed = [
    config.home,
    ...["jwt_secret", "encryption_key", "baram.toml", "postgres"].map((name) => join(config.home, name)),
  ];
  const probe = probeAccount(account, {
    read: [...read, process.execPath, join(sharedFolder(config), "modules")],
    write: [account.home, account.temporary],
    closed: [...closed, config.logging.base_log_folder, ...config.secretFiles.map(({ path }) => path)],
  });
  const who = `the user ${account.name} (uid ${account.uid}) of [workers] run_as_user`;
  if (probe.fault !== null) throw invalid(`No process can be started as ${who}: ${probe.fault}.`, { uid: account.uid });
  const [unreadable] = [...probe.unreadable, ...probe.unwritable];
  if (unreadable !== undefined)
    throw invalid(
      `${unreadable} cannot be used by ${who}. Let it enter all folders above (chmod o+x) and read this one, or move it.`,
      { path: unreadable, uid: account.uid },
    );
  const [exposed] = probe.exposed;
  const secret = config.secretFiles.find(({ path }) => path === exposed);
  if (exposed !== undefined)
    throw invalid(
      `${secret === undefined ? exposed : `${exposed}, the secret of ${secret.where},`} can be read or changed by ${who}. Close it: chmod ${exposed === config.home ? "711" : "go-rwx"} ${exposed}.`,
      { path: exposed, uid: account.uid },
    );
}

function invalid(message: string, facts: Record<string, unknown>, cause?: unknown): BaramError {
  return new BaramError("run_as_user_invalid", message, facts, cause);
}
