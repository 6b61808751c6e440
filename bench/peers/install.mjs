// Installs a peer system at a fixed version into bench/.peers, once; it does not become a dependency of the project.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../.peers", import.meta.url));

/** Folder with the npm packages installed, e.g. ["bullmq@5.0.0"]. Throws with the last output of the installer. */
export function installNpm(name, packages) {
  const folder = join(root, name);
  if (isInstalled(folder, packages)) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  run("npm", ["install", "--no-audit", "--no-fund", "--save-exact", ...packages], folder);
  writeFileSync(join(folder, "installed"), packages.join(" "));
  return folder;
}

/** Folder of a virtual environment with the PyPI packages installed. */
export function installPip(name, packages) {
  const folder = join(root, name);
  if (isInstalled(folder, packages)) return folder;
  run("python3", ["-m", "venv", folder], "/");
  run(join(folder, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", ...packages], folder);
  writeFileSync(join(folder, "installed"), packages.join(" "));
  return folder;
}

/** Path of redis-server; installs Debian's package if this user is root. */
export function installRedis() {
  const found = spawnSync("which", ["redis-server"], { encoding: "utf8" }).stdout.trim();
  if (found) return found;
  run("apt-get", ["install", "--yes", "--no-install-recommends", "redis-server"], "/");
  return spawnSync("which", ["redis-server"], { encoding: "utf8" }).stdout.trim();
}

function isInstalled(folder, packages) {
  const mark = join(folder, "installed");
  return existsSync(mark) && readFileSync(mark, "utf8") === packages.join(" ");
}

function run(command, args, cwd) {
  const { status, stderr, stdout, error } = spawnSync(command, args, { cwd, encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status === 0) return;
  throw new Error(`${command} ${args[0]}: ${error?.message ?? (stderr || stdout).trim().split("\n").slice(-3).join(" ")}`);
}
