// Ensures that the SMTP server of the tests is installed, Debian's python3-aiosmtpd, and openssl for its certificate. Installs
// them as root on Debian. Elsewhere it prints the remedy and fails, so that no test is silently skipped.
import { spawnSync } from "node:child_process";

// Debian's own Python: another one in the PATH does not find Debian's packages.
const PYTHON = "/usr/bin/python3";

if (!isThere()) {
  if (process.getuid?.() !== 0) fail("It is not installed, and this user may not install it.");
  console.error("baram: installing python3-aiosmtpd and openssl for the tests …");
  const isInstalled = install() || (apt("update") && install());
  if (!isInstalled) fail("apt-get could not install it; see its messages above.");
  if (!isThere()) fail("apt-get installed it, but it cannot be run.");
}

function isThere() {
  const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  return runs(PYTHON, "-c", "import aiosmtpd.smtp") && runs("openssl", "version");
}

function install() {
  return apt("install", "--yes", "--no-install-recommends", "python3-aiosmtpd", "openssl");
}

function apt(...args) {
  // Another installation may hold the lock for a while.
  const command = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120", ...args];
  return spawnSync("env", command, { stdio: ["ignore", 2, 2] }).status === 0;
}

function fail(why) {
  console.error(`baram: the tests of e-mail need an SMTP server, Debian's python3-aiosmtpd, and openssl. ${why}`);
  console.error("Install it with: sudo apt-get install python3-aiosmtpd openssl");
  process.exit(1);
}
