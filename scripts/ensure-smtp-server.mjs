// Makes sure that the SMTP server of the tests is there: Debian's python3-aiosmtpd. Installs it as root on Debian; elsewhere
// it says what to do and fails, so that no test is passed over in silence.
import { spawnSync } from "node:child_process";

// Debian's own Python: another one in the PATH does not see Debian's packages.
const PYTHON = "/usr/bin/python3";

if (!isThere()) {
  if (process.getuid?.() !== 0) fail("It is not installed, and this user may not install it.");
  console.error("baram: installing python3-aiosmtpd for the tests …");
  if (!install() && (apt("update"), !install())) fail("apt-get could not install it; its messages stand above.");
  if (!isThere()) fail("apt-get installed it, but Python cannot load it.");
}

function isThere() {
  return spawnSync(PYTHON, ["-c", "import aiosmtpd.controller"], { stdio: "ignore" }).status === 0;
}

function install() {
  return apt("install", "--yes", "--no-install-recommends", "python3-aiosmtpd");
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Another installation may hold the lock for a while.
  return spawnSync("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...args], { stdio: ["ignore", 2, 2], env }).status === 0;
}

function fail(why) {
  console.error(`baram: the tests of e-mail need an SMTP server, Debian's python3-aiosmtpd. ${why}`);
  console.error("Install it with: sudo apt-get install python3-aiosmtpd");
  process.exit(1);
}
