import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("a server holds against the attacks of npm run attack", () => {
  const script = fileURLToPath(new URL("run.mjs", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8", timeout: 280_000 });
  expect(stdout + stderr).not.toContain("NOT HELD");
  expect(stdout).toMatch(/attack: 2\d attacks, 0 not held/);
  expect(status).toBe(0);
}, 300_000);
