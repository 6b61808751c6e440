// A Python package for the tests, in a virtual environment of its own under .tools.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// Debian's own Python, which is always at this path on Debian; elsewhere the one in the PATH.
const PYTHON = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
const TOOLS = join(dirname(fileURLToPath(import.meta.url)), "..", ".tools");

/**
 * The folder of the environment, which is created if it is not there. `name` has the version in it. If the package cannot be
 * installed, this prints the remedy and ends the process, so that no test is silently skipped.
 */
export function ensurePythonPackage({ name, what, install }) {
  const wanted = join(TOOLS, name);
  const fail = (why) => {
    console.error(`baram: ${what}, in a virtual environment. ${why}`);
    console.error("On Debian, install what it needs with: sudo apt-get install python3 python3-venv");
    process.exit(1);
  };
  if (existsSync(wanted)) return wanted;
  // Created under a name with the process id and renamed when complete: test files may run this at the same time, and an
  // installation may be interrupted.
  const making = join(TOOLS, `${name}.${process.pid}`);
  mkdirSync(TOOLS, { recursive: true });
  console.error(`baram: installing ${name} for the tests …`);
  try {
    if (!makeEnvironment(making, fail)) fail("Python could not make a virtual environment; see its messages above.");
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...install];
    if (!runs(join(making, "bin", "python"), pip)) fail("pip could not install it; see its messages above.");
    if (!existsSync(wanted)) renameSync(making, wanted);
  } catch (error) {
    if (!existsSync(wanted)) fail(error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return wanted;
}

function makeEnvironment(folder, fail) {
  if (runs(PYTHON, ["-c", "import ensurepip, venv"], "ignore")) return runs(PYTHON, ["-m", "venv", folder]);
  // Debian has these two in a separate package.
  if (process.getuid?.() !== 0) fail("Python's venv is missing, and this user may not install it.");
  if (!install() && !(apt("update") && install())) fail("apt-get could not install python3-venv; see its messages above.");
  return runs(PYTHON, ["-m", "venv", folder]);
}

function install() {
  return apt("install", "--yes", "--no-install-recommends", "python3-venv");
}

function apt(...args) {
  // Another installation may hold the lock for a while.
  return runs("env", ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120", ...args]);
}

function runs(command, args, output = 2) {
  return spawnSync(command, args, { stdio: ["ignore", output, output] }).status === 0;
}
