import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { createLogger, type Logger } from "../platform/index.ts";
import { homeOfUser, moduleFolder, openAccounts, warnOfSecretFiles, warnOfTaskUsers } from "./accounts.ts";

const config = (environment: Record<string, string> = {}) => loadConfig({ BARAM_HOME: "/no/such/home", ...environment });

function record() {
  const lines: string[] = [];
  const warn = (_facts: object, text: string) => void lines.push(text);
  return { lines, logger: { ...createLogger({ level: "warn", role: "test" }), warn } as Logger };
}

test.each([
  ["root", false],
  ["0", false],
  ["etl:0", false],
  ["etl; rm", false],
  ["--help", false],
  ["etl", true],
  ["1005", true],
  ["1005:1006", true],
])("run_as_user %s: %s", (user, isValid) => {
  const load = () => config({ BARAM__WORKERS__RUN_AS_USER: user });
  // `root` is a name like any other for the form; it is refused when it is looked up.
  if (isValid || user === "root") expect(load().workers.run_as_user).toBe(user);
  else expect(load).toThrow("must be the name of a user, a uid or uid:gid, other than root");
});

test("users of single DAGs are pairs, and need run_as_user", () => {
  expect(() => config({ BARAM__WORKERS__RUN_AS_USER_OF_DAGS: "sales" })).toThrow(
    'pairs of a DAG id and a user, as in "sales_*=etl, hr=1005"',
  );
  expect(() => openAccounts(config({ BARAM__WORKERS__RUN_AS_USER_OF_DAGS: "sales_*=etl" }))).toThrow("Set run_as_user");
  expect(openAccounts(config())).toBeNull();
});

test("modules stay below BARAM_HOME, and beside it with run_as_user", () => {
  expect(moduleFolder(config(), "/own")).toBe("/own");
  expect(moduleFolder(config({ BARAM__WORKERS__RUN_AS_USER: "etl" }), "/own")).toBe("/no/such/home-tasks/modules");
});

test("what writes for run_as_user finds that user's home", () => {
  expect(homeOfUser(config())).toBeNull();
  expect(homeOfUser(config({ BARAM__WORKERS__RUN_AS_USER: "1005" }))).toBe("/no/such/home-tasks/users/1005/home");
});

test("as root, user code with root's rights is warned of, and only that", () => {
  const { lines, logger } = record();
  warnOfTaskUsers(config({ BARAM__WORKERS__RUN_AS_USER: "etl" }), logger);
  expect(lines).toEqual([]);
  warnOfTaskUsers(config(), logger);
  expect(lines).toEqual(
    process.getuid?.() === 0 ? [expect.stringContaining("Set [workers] run_as_user to a user without rights")] : [],
  );
});

test.each<Record<string, string>>([
  { BARAM__WORKERS__RUN_AS_USER: "nobody" },
  { BARAM__WORKERS__RUN_AS_USER: "65534:100" },
  { BARAM__WORKERS__RUN_AS_USER: "etl", BARAM__WORKERS__RUN_AS_USER_OF_DAGS: "a=etl, b_*=nobody" },
])("nobody is warned of, since others run as it: %j", (own) => {
  const { lines, logger } = record();
  warnOfTaskUsers(config(own), logger);
  expect(lines).toEqual([expect.stringContaining("names nobody")]);
});

test("a secret's file that others can read or change is warned of, with its option, path and mode", () => {
  const folder = mkdtempSync(join(tmpdir(), "baram-secret-"));
  try {
    const path = join(folder, "jwt");
    writeFileSync(path, "x".repeat(40));
    const from = config({ BARAM__API_AUTH__JWT_SECRET_FILE: path });
    for (const [mode, isOpen] of [
      [0o600, false],
      [0o440, false],
      [0o644, true],
      [0o660, true],
    ] as const) {
      chmodSync(path, mode);
      const { lines, logger } = record();
      warnOfSecretFiles(from, logger);
      const told = `BARAM__API_AUTH__JWT_SECRET_FILE is ${path}, whose mode is 0${mode.toString(8)}: other users`;
      expect(lines).toEqual(isOpen ? [expect.stringContaining(told)] : []);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
