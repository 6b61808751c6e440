import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closeHome, closeSecret, makeHome } from "./home.ts";

const isRoot = process.getuid?.() === 0;
const modeOf = (path: string) => statSync(path).mode & 0o777;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram-home-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a home is made for its user alone, with the folders above it", () => {
  const umask = process.umask(0);
  makeHome(join(folder, "a/b"));
  process.umask(umask);
  for (const path of ["a", "a/b"]) expect(modeOf(join(folder, path))).toBe(isRoot ? 0o711 : 0o700);
});

test("the folders that an earlier version has left open are closed, with one warning, and links and other folders are left", () => {
  const open = ["cache", "cache/modules", "cache/modules/abc", "logs", "worker", "worker/logs", "demo"];
  for (const path of [...open, "dags"]) mkdirSync(join(folder, path));
  for (const path of [...open, "dags"]) chmodSync(join(folder, path), path === "logs" ? 0o750 : 0o755);
  symlinkSync(join(folder, "dags"), join(folder, "worker/modules"));
  const warnings: string[] = [];
  closeHome(folder, (message) => warnings.push(message));
  expect(open.map((path) => modeOf(join(folder, path)))).toEqual(open.map(() => 0o700));
  expect(modeOf(join(folder, "dags"))).toBe(0o755);
  expect(warnings).toEqual([`Other users could enter 7 folders of BARAM_HOME, such as ${folder}/cache; their mode is 0700 now.`]);
  closeHome(folder, (message) => expect.unreachable(message));
});

test("a home that is closed is left as it is, without a word", () => {
  chmodSync(folder, 0o500);
  closeHome(folder, (message) => expect.unreachable(message));
  expect(modeOf(folder)).toBe(0o500);
});

test.runIf(isRoot)("a secret of another user that all can read is refused, and one that a group can read is taken", () => {
  chmodSync(folder, 0o755);
  const secret = join(folder, "jwt_secret");
  writeFileSync(secret, "x");
  const warnings: string[] = [];
  process.seteuid?.(65_534);
  try {
    for (const [mode, isRefused] of [
      [0o644, true],
      [0o604, true],
      [0o640, false],
    ] as const) {
      process.seteuid?.(0);
      chmodSync(secret, mode);
      process.seteuid?.(65_534);
      const use = () => closeSecret(secret);
      if (isRefused)
        expect(use).toThrow(expect.objectContaining({ code: "secret_readable", message: expect.stringContaining("0600") }));
      else expect(use()).toBe(false);
    }
    closeHome(folder, (message) => warnings.push(message));
  } finally {
    process.seteuid?.(0);
  }
  expect(warnings).toEqual([expect.stringMatching(/Other users can read or change .* which belongs to another user/)]);
});
