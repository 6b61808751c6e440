import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { createTestApi, type TestApi } from "../support/public-api.ts";
import { type Cli, createCli, MAIN } from "./run-cli.ts";

let database: TestDatabase;
let cli: Cli;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
  api = await createTestApi(database.store);
});
afterAll(async () => {
  cli.remove();
  await database.drop();
});

const login = async (username: string, password: string) =>
  (await api.ask("POST", "/auth/token", { as: null, body: { username, password }, from: username })).status;
const file = (text: string) => {
  const path = join(cli.folder, "secret.txt");
  writeFileSync(path, text);
  return path;
};

describe("users", () => {
  it("are created with a password from stdin or a file, listed, changed and deleted", async () => {
    const ada = await cli.runWith({}, "users", "create", "ada", "--role", "Admin", "--password-file", file("from a file\n"));
    expect(ada).toMatchObject({ code: 0, stdout: "User ada (admin) is created.\n", stderr: "" });
    const bob = await cli.runWithInput("from stdin\r\n", "users", "create", "bob", "-r", "viewer", "--password-stdin");
    expect(bob).toMatchObject({ code: 0, stderr: "" });
    expect(await login("ada", "from a file")).toBe(201);
    expect(await login("bob", "from stdin")).toBe(201);
    expect(await cli.json("users", "list")).toMatchObject([
      { username: "ada", role: "admin" },
      { username: "bob", role: "viewer" },
    ]);
    expect(await cli.run("users", "set-role", "bob", "--role", "op")).toMatchObject({ code: 0 });
    expect(await cli.json("users", "list")).toMatchObject([{}, { username: "bob", role: "op" }]);
    expect(await cli.runWithInput("another one", "users", "set-password", "bob", "--password-file", "-")).toMatchObject({
      code: 0,
    });
    expect(await login("bob", "from stdin")).toBe(401);
    expect(await login("bob", "another one")).toBe(201);
    expect(await cli.run("users", "delete", "bob")).toMatchObject({ code: 0 });
    expect(await cli.json("users", "list")).toHaveLength(1);
    const { rows } = await database.store.query<{ event: string; extra: unknown }>(
      "select event, extra from log where event like 'cli_users%' order by id",
    );
    expect(rows.map(({ event }) => event)).toEqual([
      ...["cli_users_create", "cli_users_create", "cli_users_set_role", "cli_users_set_password", "cli_users_delete"],
    ]);
    expect(JSON.stringify(rows)).not.toMatch(/from a file|stdin|another one/);
  });

  it("are created and deleted by Airflow's flags, which say what has no effect, and what others can see", async () => {
    const names = ["--firstname", "Eve", "-l", "Smith", "--email", "eve@example.com"];
    const eve = await cli.run("users", "create", "--username", "eve", "--role", "Viewer", "--password", "an argument", ...names);
    expect(eve).toMatchObject({ code: 0, stdout: "User eve (viewer) is created.\n" });
    expect(eve.stderr).toContain("--password is an argument");
    expect(eve.stderr.match(/have no effect/g)).toHaveLength(1);
    expect(await login("eve", "an argument")).toBe(201);
    const fay = await cli.run("users", "create", "-u", "fay", "-r", "User", "--use-random-password");
    expect(fay).toMatchObject({ code: 0, stderr: expect.stringContaining("set-password fay") });
    expect(await cli.run("users", "delete", "--username", "eve")).toMatchObject({ code: 0 });
    expect(await cli.run("users", "delete", "-u", "fay")).toMatchObject({ code: 0 });
    expect(await login("eve", "an argument")).toBe(401);
    await database.store.query("delete from log");
  });

  it("are refused with the reason", async () => {
    const good = () => ["--password-file", file("long enough")];
    expect(await cli.fails(4, "users", "create", "ada", "-r", "op", ...good())).toContain('user "ada" already');
    expect(await cli.fails(4, "users", "create", "Ada", "-r", "op", ...good())).toContain('"ada", which differs only in case');
    expect(await cli.fails(2, "users", "create", "a b", "-r", "op", ...good())).toContain("no user name");
    expect(await cli.fails(2, "users", "create", "", "-r", "op", ...good())).toContain("no user name");
    expect(await cli.fails(2, "users", "create", "eve", "-r", "root", ...good())).toContain("viewer, user, op, admin");
    expect(await cli.fails(2, "users", "create", "eve", ...good())).toContain("--role");
    expect(await cli.fails(2, "users", "create", "eve", "-r", "op")).toContain("--password-stdin or --password-file");
    expect(await cli.fails(2, "users", "create", "eve", "-r", "op", "--password-stdin", ...good())).toContain(
      "exclude each other",
    );
    expect(await cli.fails(2, "users", "create", "eve", "-r", "op", "--password", "s3cret!!", ...good())).toContain(
      "exclude each other",
    );
    expect(await cli.fails(2, "users", "create", "-r", "op", ...good())).toContain("user name is missing");
    expect(await cli.fails(2, "users", "create", "eve", "-u", "eve", "-r", "op", ...good())).toContain("given twice");
    expect(await cli.fails(2, "users", "delete")).toContain("user name is missing");
    expect(await cli.fails(2, "users", "create", "eve", "-r", "op", "--password-file", file("short"))).toContain("at least 8");
    expect(await cli.fails(2, "users", "create", "eve", "-r", "op", "--password-file", file("\n"))).toContain("is empty");
    expect(await cli.fails(2, "users", "create", "eve", "-r", "op", "--password-file", "/no/file")).toContain("cannot be read");
    expect(await cli.fails(3, "users", "set-role", "eve", "-r", "op")).toContain('no user "eve"');
    expect(await cli.fails(3, "users", "set-password", "eve", ...good())).toContain('no user "eve"');
    expect(await cli.fails(3, "users", "delete", "eve")).toContain('no user "eve"');
    expect(await cli.fails(4, "users", "delete", "ada")).toContain("only user with the role admin");
    expect(await cli.fails(4, "users", "set-role", "ada", "-r", "op")).toContain("Create another admin first");
  });

  it("are asked for their password on a terminal, twice and without an echo", async () => {
    const onTerminal = (input: string) =>
      new Promise<{ code: number; output: string }>((resolve) => {
        const { address } = database;
        const command = `'${process.execPath}' '${MAIN}' users set-password ada`;
        const child = execFile(
          "script",
          ["--quiet", "--return", "--echo", "never", "--command", command, "/dev/null"],
          { cwd: cli.folder, env: cli.environment },
          (error, stdout) => resolve({ code: Number(error?.code ?? 0), output: stdout }),
        );
        expect(address).toBeDefined();
        // Each line once it is asked for.
        const lines = input.split("\n");
        let answered = 0;
        child.stdout?.on("data", () => {});
        let seen = "";
        child.stdout?.on("data", (chunk: string) => {
          seen += chunk;
          const asked = (seen.match(/Password of ada: |Once more: /g) ?? []).length;
          while (answered < asked) child.stdin?.write(`${lines[answered++] ?? ""}\r`);
        });
      });
    const done = await onTerminal("typed by hand\ntyped by hand");
    expect(done).toMatchObject({ code: 0, output: expect.stringContaining("has a new password") });
    expect(done.output).not.toContain("typed by hand");
    expect(await login("ada", "typed by hand")).toBe(201);
    expect(await onTerminal("one password\nanother one")).toMatchObject({ code: 2, output: expect.stringContaining("differ") });
  });

  it("who leave the first password behind take its file along", async () => {
    const path = join(cli.environment.BARAM_HOME ?? "", "admin_password");
    mkdirSync(cli.environment.BARAM_HOME ?? "", { recursive: true });
    await cli.run("users", "create", "admin", "-r", "admin", "--password-file", file("the first one"));
    writeFileSync(path, "the first one");
    expect(await cli.run("users", "set-role", "admin", "-r", "admin")).toMatchObject({ code: 0 });
    expect(existsSync(path)).toBe(true);
    expect(await cli.run("users", "set-password", "admin", "--password-file", file("the second one"))).toMatchObject({ code: 0 });
    expect(existsSync(path)).toBe(false);
  });

  it("have the roles of the API", async () => {
    const { ROLES } = await import("../../src/public-api/index.ts");
    const help = await cli.run("users", "create", "--help");
    for (const role of ROLES) expect(help.stdout).toContain(`"${role}"`);
  });
});

describe("secrets of connections and variables", () => {
  it("come from files and from stdin, and an argument with one is warned of", async () => {
    const fields = ["--conn-type", "http", "--conn-login", "ada"];
    expect(
      await cli.runWithInput("pass word\n", "connections", "add", "a", ...fields, "--conn-password-file", "-"),
    ).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(await cli.json("connections", "get", "a", "--show-secrets")).toMatchObject({ login: "ada", password: "pass word" });
    const uri = file("postgres://ada:s3cret@db/sales\n");
    expect(await cli.run("connections", "add", "b", "--conn-uri-file", uri)).toMatchObject({ code: 0, stderr: "" });
    expect(await cli.json("connections", "get", "b", "--show-secrets")).toMatchObject({ password: "s3cret", host: "db" });
    const json = '{"conn_type": "aws", "password": "s3cret"}';
    expect(await cli.runWithInput(json, "connections", "add", "c", "--conn-json-file", "-")).toMatchObject({
      code: 0,
      stderr: "",
    });
    const extra = file('{"token": "t"}');
    expect(await cli.run("connections", "add", "d", ...fields, "--conn-extra-file", extra)).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(await cli.json("connections", "get", "d", "--show-secrets")).toMatchObject({ extra_dejson: { token: "t" } });
    expect(await cli.runWithInput("tok-1\n", "variables", "set", "api_token", "--value-file", "-")).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect(await cli.run("variables", "get", "api_token")).toMatchObject({ stdout: "tok-1\n" });

    const warned = async (...args: string[]) => (await cli.run(...args)).stderr;
    expect(await warned("connections", "add", "e", ...fields, "--conn-password", "x")).toContain("--conn-password-file");
    expect(await warned("connections", "add", "f", "--conn-uri", "http://a:b@c")).toContain("--conn-uri-file");
    expect(await warned("connections", "add", "g", "--conn-json", json)).toContain("--conn-json-file");
    expect(await warned("variables", "set", "api_token", "x")).toContain("--value-file");
    expect(await warned("variables", "set", "region", "x")).toBe("");
    expect(await warned("connections", "add", "h", "--conn-uri", "http://c")).toBe("");
  });

  it("are refused if given twice, from an empty file, or if two would read stdin", async () => {
    const add = ["connections", "add", "z", "--conn-type", "http"];
    expect(await cli.fails(2, ...add, "--conn-password", "a", "--conn-password-file", file("b"))).toContain("exclude each other");
    expect(await cli.fails(2, ...add, "--conn-password-file", "-", "--conn-extra-file", "-")).toContain("Only one option");
    expect(await cli.fails(2, ...add, "--conn-password-file", file(""))).toContain("is empty");
    expect(await cli.fails(2, "variables", "set", "k")).toContain("exactly one way");
    expect(await cli.fails(2, "variables", "set", "k", "x", "--value-file", file("b"))).toContain("exactly one way");
  });
});

describe("who reads secrets", () => {
  it("is in the audit log, and nobody who does not", async () => {
    await cli.runWithInput("s3cret-value", "variables", "set", "read_me", "--value-file", "-");
    await cli.run("connections", "add", "read_me", "--conn-type", "http");
    await database.store.query("delete from log");
    expect(await cli.json("connections", "list", "--conn-id", "read_me")).toHaveLength(1);
    await cli.run("connections", "get", "read_me");
    await cli.run("variables", "list");
    expect((await database.store.query("select 1 from log")).rows).toEqual([]);
    await cli.run("connections", "get", "read_me", "--show-secrets");
    await cli.run("connections", "list", "--show-secrets", "--conn-id", "read_me");
    await cli.run("variables", "get", "read_me");
    await cli.run("variables", "list", "--show-values");
    const { rows } = await database.store.query<{ event: string; owner: string; extra: object }>(
      "select event, owner, extra from log order by id",
    );
    const owner = expect.stringMatching(/./);
    expect(rows.slice(0, 3)).toEqual([
      { event: "cli_connections_get", owner, extra: { conn_id: "read_me" } },
      { event: "cli_connections_list", owner, extra: { conn_ids: ["read_me"] } },
      { event: "cli_variables_get", owner, extra: { key: "read_me" } },
    ]);
    expect(rows[3]).toMatchObject({ event: "cli_variables_list", extra: { keys: expect.arrayContaining(["read_me"]) } });
    expect(JSON.stringify(rows)).not.toContain("s3cret-value");
  });
});
