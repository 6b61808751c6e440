// Runs the engine's end-to-end tests and the first start on the other supported Node.js versions. The version that runs
// this script is left out: `npm test` uses it.
import { spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MAJORS = ["22", "24"];
const TESTS = ["tests/engine", "tests/e2e", "tests/cli/first-use.test.ts", "tests/public-surface"];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
for (const major of MAJORS.filter((each) => each !== process.versions.node.split(".")[0])) {
  const ensured = spawnSync(process.execPath, [join(root, "scripts", "ensure-node.mjs"), major], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", 2],
  });
  if (ensured.status !== 0) process.exit(1);
  const node = ensured.stdout.trim();
  console.log(`\nOn Node.js ${major}:`);
  const { status } = spawnSync(
    node,
    [join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--project", "engine", ...TESTS],
    {
      cwd: root,
      stdio: "inherit",
      // Processes that tests start by name must use the same version.
      env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` },
    },
  );
  if (status !== 0) process.exit(status ?? 1);
}
