// Ensures that the brokers for the tests of the queue executor are installed: Debian's redis-server and rabbitmq-server, and openssl
// for a certificate. Installs them as root on Debian without starting them. Elsewhere it prints the remedy and fails, so that
// no test is silently skipped.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const PACKAGES = ["redis-server", "rabbitmq-server", "openssl"];

if (!isThere()) {
  if (process.getuid?.() !== 0) fail("One of them is not installed, and this user may not install it.");
  console.error(`baram: installing ${PACKAGES.join(", ")} for the tests …`);
  const isInstalled = install() || (apt("update") && install());
  if (!isInstalled) fail("apt-get could not install them; see its messages above.");
  if (!isThere()) fail("apt-get installed them, but they cannot be run.");
}

function isThere() {
  const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  return runs("redis-server", "--version") && existsSync("/usr/lib/rabbitmq/bin/rabbitmq-server") && runs("openssl", "version");
}

function install() {
  return apt("install", "--yes", "--no-install-recommends", ...PACKAGES);
}

function apt(...args) {
  // Another installation may hold the lock for a while. RUNLEVEL: tests start their own servers, so Debian's are not started.
  const settings = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"];
  const command = [...settings, "apt-get", "-o", "DPkg::Lock::Timeout=120", ...args];
  return spawnSync("env", command, { stdio: ["ignore", 2, 2] }).status === 0;
}

function fail(why) {
  console.error(`baram: the tests of the queue executor need redis-server, rabbitmq-server and openssl. ${why}`);
  console.error(`Install them with: sudo apt-get install ${PACKAGES.join(" ")}`);
  process.exit(1);
}
