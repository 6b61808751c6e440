// Makes sure that moto is there, the AWS endpoint of the tests: a server from PyPI, in a virtual environment of its own under
// .tools. Prints the path of its Python. Where it cannot be installed it says what to do and fails, so that no test is passed
// over in silence.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MOTO = "5.2.5";
// Debian's own Python, which an installation of it always has at this path; elsewhere the one of the PATH.
const PYTHON = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

const tools = join(dirname(fileURLToPath(import.meta.url)), "..", ".tools");
const wanted = join(tools, `moto-${MOTO}`);

if (!existsSync(wanted)) {
  // Made under a name of this process and moved when whole: test files may ask at once, and an installation may be cut short.
  const making = join(tools, `moto-${MOTO}.${process.pid}`);
  mkdirSync(tools, { recursive: true });
  console.error(`baram: installing moto ${MOTO} for the tests …`);
  try {
    if (!makeEnvironment(making)) fail("Python could not make a virtual environment; its messages stand above.");
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `moto[server]==${MOTO}`];
    if (!runs(join(making, "bin", "python"), pip)) fail("pip could not install it; its messages stand above.");
    if (!existsSync(wanted)) renameSync(making, wanted);
  } catch (error) {
    if (!existsSync(wanted)) fail(error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}
console.log(join(wanted, "bin", "python"));

function makeEnvironment(folder) {
  if (runs(PYTHON, ["-c", "import ensurepip, venv"], "ignore")) return runs(PYTHON, ["-m", "venv", folder]);
  // Debian keeps these two in a package of their own.
  if (process.getuid?.() !== 0) fail("Python's venv is missing, and this user may not install it.");
  if (!install() && !(apt("update") && install())) fail("apt-get could not install python3-venv; its messages stand above.");
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

function fail(why) {
  console.error(`baram: the tests of AWS need moto ${MOTO} from PyPI, in a virtual environment. ${why}`);
  console.error("On Debian, install what it needs with: sudo apt-get install python3 python3-venv");
  process.exit(1);
}
