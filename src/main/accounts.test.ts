import { expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { createLogger } from "../platform/index.ts";
import { homeOfUser, moduleFolder, openAccounts, warnOfRoot } from "./accounts.ts";

const config = (environment: Record<string, string> = {}) => loadConfig({ BARAM_HOME: "/no/such/home", ...environment });

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
  const lines: string[] = [];
  const logger = {
    ...createLogger({ level: "warn", role: "test" }),
    warn: (_facts: object, text: string) => void lines.push(text),
  };
  warnOfRoot(config({ BARAM__WORKERS__RUN_AS_USER: "etl" }), logger as never);
  expect(lines).toEqual([]);
  warnOfRoot(config(), logger as never);
  expect(lines).toEqual(
    process.getuid?.() === 0 ? [expect.stringContaining("Set [workers] run_as_user to a user without rights")] : [],
  );
});
