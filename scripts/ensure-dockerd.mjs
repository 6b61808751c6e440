// Ensures that Docker for the tests is installed: Debian's docker.io, and tini, which the tests' base image copies from this
// machine. Installs them as root on Debian. Elsewhere it prints the remedy and fails, so that no test is silently skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

if (!isThere()) {
  if (process.getuid?.() !== 0) fail("It is not installed, and this user may not install it.");
  console.error("baram: installing docker.io and tini for the tests …");
  const isInstalled = install() || (apt("update") && install());
  if (!isInstalled) fail("apt-get could not install it; see its messages above.");
  if (!isThere()) fail("apt-get installed it, but it cannot be run.");
}
if (process.getuid?.() !== 0) fail("Its daemon must be started by root, and this user is not root.");

function isThere() {
  const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  return runs("dockerd", "--version") && runs("docker", "--version") && existsSync("/usr/bin/tini");
}

function install() {
  return apt("install", "--yes", "--no-install-recommends", "docker.io", "tini");
}

function apt(...args) {
  // Another installation may hold the lock for a while. A service that cannot be started is no problem: the tests start their
  // own.
  const command = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-o", "DPkg::Lock::Timeout=120", ...args];
  return spawnSync("env", command, { stdio: ["ignore", 2, 2] }).status === 0;
}

function fail(why) {
  console.error(`baram: the tests of the container image need Docker's daemon, Debian's docker.io, and tini. ${why}`);
  console.error("Install it with: sudo apt-get install docker.io tini, and run these tests as root.");
  process.exit(1);
}
