import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { accountOf, commandAs, SETPRIV } from "./account.ts";

const account = (uid: number) => ({ name: `u${uid}`, uid, gid: uid, home: `/users/${uid}/home`, temporary: `/users/${uid}/tmp` });

test("the first pattern that matches a DAG's whole id decides, and else the account of all", () => {
  const ofDags = [
    { pattern: "sales_*", account: account(2) },
    { pattern: "sales_eu", account: account(3) },
    { pattern: "a.b", account: account(4) },
    { pattern: "*_hr_*", account: account(5) },
  ];
  const uidOf = (dagId: string) => accountOf(dagId, { account: account(1), ofDags }).uid;
  expect(["sales_eu", "presales_eu", "a.b", "axb", "my_hr_dag", "hr"].map(uidOf)).toEqual([2, 1, 4, 1, 5, 1]);
});

test("a process of an account has its home, its temporary folder and its name, and without an account nothing is changed", () => {
  const environment = { PATH: "/bin", HOME: "/root", TMPDIR: "/secret" };
  expect(commandAs(null, "node", ["x"], environment)).toEqual({ command: "node", args: ["x"], options: { env: environment } });
  expect(commandAs(account(7), "node", ["x"], environment).options.env).toEqual({
    ...{ PATH: "/bin", HOME: "/users/7/home", TMPDIR: "/users/7/tmp", USER: "u7", LOGNAME: "u7" },
  });
});

test("a user that is not root enters the home in the child, and no argument is read as shell text", () => {
  const getuid = process.getuid;
  process.getuid = () => 1_000;
  try {
    const { command, args, options } = commandAs({ ...account(7), home: "/tmp" }, "/usr/bin/printf", ["%s\n", "$(id) ; '"], {});
    expect([command, options.cwd]).toEqual([SETPRIV, "/"]);
    const shell = args.slice(args.indexOf("--") + 1);
    expect(execFileSync(shell[0] ?? "", shell.slice(1), { env: options.env, encoding: "utf8" })).toBe("$(id) ; '\n");
    shell.splice(3, shell.length, "/bin/sh", "-c", "/bin/pwd; /usr/bin/env");
    const [place, ...environment] = execFileSync(shell[0] ?? "", shell.slice(1), { env: options.env, encoding: "utf8" }).split(
      "\n",
    );
    expect(place).toBe("/tmp");
    expect(environment.filter((line) => line.startsWith("OLDPWD"))).toEqual([]);
  } finally {
    process.getuid = getuid;
  }
});
