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

/** `passed`: the names of [workers] pass_environment, with a `*` at their end or not. */
export function isForUserCode(name: string, value: string, passed: readonly string[]): boolean {
  if (NEVER.some((pattern) => fits(name.toUpperCase(), pattern))) return false;
  if (passed.some((pattern) => fits(name, pattern))) return true;
  if (PROXIES.includes(name.toUpperCase())) return !hasPassword(value);
  return ALLOWED.some((pattern) => fits(name, pattern));
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
