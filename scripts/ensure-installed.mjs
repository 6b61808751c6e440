// Run before `npm start` and `npm test`, with only Node: installs the packages if they are missing or the lockfile
// changed, and compiles src to dist if a source file is newer. If nothing is to do, it takes a few milliseconds.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Baram needs Node.js 20.19 or newer; this is ${process.versions.node}. Install a newer one and try again.`);
}

const stamp = join(root, "node_modules", ".cache", "baram-installed");
const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .update(readFileSync(join(root, "package.json")))
  .digest("hex");
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  // If Baram is a dependency of another project, everything is already installed, and there is no lockfile of Baram.
  console.error("baram: installing packages …");
  // `install`, not `ci`: the lockfile may lack optional packages of other platforms, which `ci` refuses and `install` adds. The
  // compiler is a development dependency and is needed here whatever NODE_ENV is.
  run(
    "npm",
    ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund"],
    "The packages could not be installed; npm's messages above say why.",
  );
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

const built = join(root, "dist", ".built");
const sourcesAt = Math.max(
  newest(join(root, "src")),
  ...["tsconfig.json", "tsconfig.build.json", "package-lock.json"].map((name) => statSync(join(root, name)).mtimeMs),
);
if (!existsSync(built) || statSync(built).mtimeMs < sourcesAt || readFileSync(built, "utf8") !== wanted) {
  console.error("baram: compiling …");
  run(
    process.execPath,
    [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", join(root, "tsconfig.build.json")],
    "The sources do not compile; the messages above say where.",
  );
  writeFileSync(built, wanted);
}

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // A folder's own modification time changes when files are removed.
    latest = Math.max(latest, statSync(path).mtimeMs, entry.isDirectory() ? newest(path) : 0);
  }
  return latest;
}

function run(command, args, failure) {
  // npm's output goes to stderr, so that it does not mix with a script's stdout.
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32" && command === "npm",
  });
  if (result.error) fail(`${failure} (${result.error.message})`);
  if (result.status !== 0) fail(failure);
}

function fail(message) {
  console.error(`baram: ${message}`);
  process.exit(1);
}
