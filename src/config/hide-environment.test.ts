import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findPackageRoot } from "../platform/index.ts";

/** Runs code in a process with this environment, after it has hidden it twice; returns what the code prints. */
function run(environment: Record<string, string>, code: string): Record<string, unknown> {
  const config = JSON.stringify(join(findPackageRoot(), "dist/config/index.js"));
  const script = `
    import { execFileSync } from "node:child_process"; import { readFileSync } from "node:fs";
    import { environmentSecrets, hideEnvironment, isForUserCode, loadConfig } from ${config};
    const isErased = hideEnvironment((name, value) => isForUserCode(name, value, ["PASSED"])) && hideEnvironment((name, value) => isForUserCode(name, value, ["PASSED"]));
    const seen = execFileSync("cat", ["/proc/" + process.pid + "/environ"], { encoding: "utf8" }).split("\\0").filter((one) => one !== "").sort();
    ${code}`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    env: environment,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("a process hides what is not for user code from all others, and knows it nevertheless", () => {
  const PATH = process.env.PATH ?? "";
  const found = run(
    {
      BARAM__DATABASE__URL: "postgres://u:hunter22@h/x",
      BARAM_CONN_X: "http://u:hunter22@h",
      BARAM_RUNNER_ID: "7",
      BARAM_HOME: "/nowhere",
      AWS_SECRET_ACCESS_KEY: "hunter22=ü=",
      EMPTY: "",
      PASSED: "1",
      PATH,
    },
    `const inherited = execFileSync("env", { encoding: "utf8" }).split("\\n").filter((one) => one.startsWith("BARAM_"));
     console.log(JSON.stringify({ isErased, seen, inherited, url: loadConfig().database.url, password: environmentSecrets().connection("x").password, key: process.env.AWS_SECRET_ACCESS_KEY, path: process.env.PATH }));`,
  );
  expect(found).toEqual({
    isErased: true,
    // A mark, by which a process is found.
    seen: ["BARAM_RUNNER_ID=7", "PASSED=1", `PATH=${PATH}`],
    inherited: ["BARAM_RUNNER_ID=7"],
    url: "postgres://u:hunter22@h/x",
    password: "hunter22",
    key: "hunter22=ü=",
    path: PATH,
  });
});
