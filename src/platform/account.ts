/**
 * An operating system user for user code, instead of Baram's own. `home` and `temporary` are folders of its own, which nobody else can
 * enter.
 */
export type Account = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly temporary: string;
};

/** The account of all DAGs, and of those whose id matches a pattern; the first match counts. */
export type Accounts = {
  readonly account: Account;
  readonly ofDags: readonly { readonly pattern: string; readonly account: Account }[];
};

export type StartCommand = {
  readonly command: string;
  readonly args: string[];
  readonly options: { readonly env: Record<string, string>; readonly uid?: number; readonly gid?: number; readonly cwd?: string };
};

/** Debian's, of util-linux. Not searched in PATH, since it is given the right to change users. */
export const SETPRIV = "/usr/bin/setpriv";

/** A fixed text: the command and its arguments are parameters of the shell. What `cd` sets is not of the environment that was asked for. */
const ENTER_HOME = 'cd "$HOME" && unset PWD OLDPWD && exec "$0" "$@"';

/**
 * How to start a process as the account; null = as Baram itself. Root changes the user in the child, which takes all capabilities and
 * groups away. A user who is not root but may change users has ambient capabilities, which a child would keep: setpriv drops them.
 */
export function commandAs(
  account: Account | null,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): StartCommand {
  if (account === null) return { command, args: [...args], options: { env: { ...environment } } };
  const { uid, gid, name, home, temporary } = account;
  const env = { ...environment, HOME: home, TMPDIR: temporary, USER: name, LOGNAME: name };
  if (process.getuid?.() === 0) return { command, args: [...args], options: { env, uid, gid, cwd: home } };
  const drop = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--"];
  // This process may be unable to enter the home, so the child does it, after the change of user.
  return { command: SETPRIV, args: [...drop, "/bin/sh", "-c", ENTER_HOME, command, ...args], options: { env, cwd: "/" } };
}

/** The account that runs a DAG's tasks and triggers. `*` in a pattern stands for any text. */
export function accountOf(dagId: string, accounts: Accounts): Account {
  return accounts.ofDags.find(({ pattern }) => matchesPattern(dagId, pattern))?.account ?? accounts.account;
}

function matchesPattern(text: string, pattern: string): boolean {
  return new RegExp(
    `^${pattern
      .split("*")
      .map((part) => part.replace(/[.?+^$|()[\]{}\\]/g, "\\$&"))
      .join(".*")}$`,
    "s",
  ).test(text);
}
