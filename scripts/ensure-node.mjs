// Ensures that the Node.js of the given major version is installed, for the tests that run on it: its binary from the npm
// registry, under .tools. Prints its path. If it cannot be installed, it fails, so that no version is silently skipped.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSIONS = { 22: "22.23.3", 24: "24.22.1" };

const major = process.argv[2] ?? "";
const version = VERSIONS[major];
if (version === undefined) fail(`"${major}" is not one of ${Object.keys(VERSIONS).join(", ")}.`);

const tools = join(dirname(fileURLToPath(import.meta.url)), "..", ".tools");
const wanted = join(tools, `node-${version}`);
const name = `node-linux-${process.arch}`;

if (!existsSync(wanted)) {
  // Created under a name with the process id and renamed when complete: it may be interrupted, or run twice at the same time.
  const making = `${wanted}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  console.error(`baram: installing Node.js ${version} for the tests …`);
  try {
    const args = ["install", "--prefix", making, "--no-audit", "--no-fund", "--ignore-scripts", `${name}@${version}`];
    if (spawnSync("npm", args, { stdio: ["ignore", 2, 2] }).status !== 0)
      fail("npm could not install it; see its messages above.");
    if (!existsSync(wanted)) renameSync(making, wanted);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}
console.log(join(wanted, "node_modules", name, "bin", "node"));

function fail(why) {
  console.error(`baram: the tests need another Node.js. ${why}`);
  process.exit(1);
}
