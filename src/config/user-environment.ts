/**
 * Which environment variables user code gets. An allow-list: the environment of a platform holds keys of clouds, registries and
 * databases under names that nobody can list. HTTP proxies are passed if their URL has no password.
 */

/** What programs need to run, to speak the user's language and to reach others. A `*` at the end stands for any characters. */
const ALLOWED = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "HOSTNAME",
  "LANG",
  "LANGUAGE",
  "LC_*",
  "TZ",
  "TZDIR",
  "TERM",
  "TMPDIR",
  "TEMP",
  "TMP",
  "NODE_ENV",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "LD_LIBRARY_PATH",
  "DYLD_LIBRARY_PATH",
] as const;
const PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/** Never, whatever is named: Baram's own settings and secrets, and the switches of Node.js that would open a debugger. */
const NEVER = ["BARAM_*", "NODE_OPTIONS"];

/** Of shells, terminals, desktops, service managers and package managers: withheld, too, and missed by nobody. */
const USUAL = [
  ..."_ PWD OLDPWD SHLVL MAIL EDITOR VISUAL PAGER LS_COLORS COLORTERM TERM_* LESS* HIST* PS1 PS2 MANPATH INFOPATH HOSTTYPE OSTYPE".split(
    " ",
  ),
  ..."DISPLAY WAYLAND_DISPLAY XAUTHORITY XDG_* DBUS_* DESKTOP_SESSION GNOME_* GTK_* QT_* KDE_* WINDOWID SSH_* GPG_* SUDO_* TMUX* STY".split(
    " ",
  ),
  ..."INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET SYSTEMD_* MANAGERPID LISTEN_* WATCHDOG_* MEMORY_PRESSURE_* container CREDENTIALS_DIRECTORY".split(
    " ",
  ),
  ..."npm_* NPM_* NVM_* YARN_* PNPM_* COREPACK_* INIT_CWD NODE NODE_VERSION NODE_PATH COLOR FORCE_COLOR NO_COLOR CI DEBIAN_FRONTEND".split(
    " ",
  ),
];

/** Kubernetes and Docker name each service so in every container. */
const OF_SERVICES = /_SERVICE_HOST$|_SERVICE_PORT(?:_|$)|_PORT_\d+_(?:TCP|UDP)(?:_|$)/;

/** `passed`: the names of [workers] pass_environment, with a `*` at their end or not. */
export function isForUserCode(name: string, value: string, passed: readonly string[]): boolean {
  if (NEVER.some((pattern) => fits(name.toUpperCase(), pattern))) return false;
  if (passed.some((pattern) => fits(name, pattern))) return true;
  if (PROXIES.includes(name.toUpperCase())) return !hasPassword(value);
  return ALLOWED.some((pattern) => fits(name, pattern));
}

/** `variables`: withheld from user code, and somebody may miss them. `proxies`: withheld for the password in their URL. */
export type Withheld = { variables: string[]; proxies: string[] };

/** Names only, sorted. */
export function withheldFromUserCode(
  environment: Readonly<Record<string, string | undefined>>,
  passed: readonly string[],
): Withheld {
  const names = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || isForUserCode(name, value, passed) ? [] : [name],
  );
  const isProxy = (name: string) => PROXIES.includes(name.toUpperCase());
  const isExpected = (name: string) =>
    [...NEVER, ...USUAL].some((pattern) => fits(name, pattern)) || OF_SERVICES.test(name) || isProxy(name);
  return { variables: names.filter((name) => !isExpected(name)).sort(), proxies: names.filter(isProxy).sort() };
}

/** What a container or a function that was made for one task passes on: its variables are the task's own, as its role's keys. */
export const EVERYTHING: readonly string[] = ["*"];

function fits(name: string, pattern: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** The address of a proxy may have no scheme. */
function hasPassword(proxy: string): boolean {
  return proxy.includes("@");
}
