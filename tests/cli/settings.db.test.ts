import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Cli, createCli, MAIN } from "./run-cli.ts";

let database: TestDatabase;
let cli: Cli;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
});
afterAll(async () => {
  cli.remove();
  await database.drop();
});

describe("variables", () => {
  it("are set, read, listed and deleted", async () => {
    expect(await cli.run("variables", "set", "limits", '{"rows": 3}', "--json", "--description", "how many")).toMatchObject({
      code: 0,
    });
    const stored = await database.store.query<{ val: Buffer }>("select val from variable");
    expect(stored.rows[0]?.val.toString("latin1")).not.toContain("rows");
    expect(await cli.run("variables", "get", "limits")).toMatchObject({ code: 0, stdout: '{"rows": 3}\n' });
    expect(await cli.json("variables", "get", "limits")).toEqual({
      key: "limits",
      value: '{"rows": 3}',
      description: "how many",
    });
    expect(await cli.json("variables", "list")).toEqual([{ key: "limits", value: "***", description: "how many" }]);
    expect(await cli.run("variables", "delete", "limits")).toMatchObject({ code: 0 });
    expect(await cli.fails(3, "variables", "get", "limits")).toContain('no variable "limits"');
    expect(await cli.fails(3, "variables", "delete", "limits")).toContain('no variable "limits"');
  });

  it("come from the environment first, and from a default last", async () => {
    expect(await cli.runWith({ BARAM_VAR_REGION: "env" }, "variables", "get", "region")).toMatchObject({ stdout: "env\n" });
    expect(await cli.run("variables", "get", "region", "--default", "none")).toMatchObject({ code: 0, stdout: "none\n" });
    expect(await cli.fails(2, "variables", "set", "limits", "{rows", "--json")).toContain("is not JSON");
    expect(await cli.fails(2, "variables", "set", "limits", "{rows", "--serialize-json")).toContain("leave out --serialize-json");
  });
});

describe("connections", () => {
  const uri = "postgres://ada:s3cret%21@db.example.com:5432/sales?api_key=hidden-key&mode=ro";

  it("are added by URI, hidden when shown, and encrypted at rest", async () => {
    expect(await cli.run("connections", "add", "warehouse", "--conn-uri", uri)).toMatchObject({ code: 0 });
    const shown = await cli.json("connections", "get", "warehouse");
    expect(shown).toMatchObject({ conn_id: "warehouse", conn_type: "postgres", login: "ada", password: "***", port: 5432 });
    expect(shown).toMatchObject({ extra_dejson: { api_key: "***", mode: "ro" }, source: "database" });
    expect(await cli.json("connections", "get", "warehouse", "--show-secrets")).toMatchObject({
      password: "s3cret!",
      extra_dejson: { api_key: "hidden-key" },
    });
    const list = await cli.run("connections", "list", "-o", "plain");
    expect(list.stdout).toContain("warehouse");
    expect(list.stdout).not.toMatch(/s3cret|hidden-key/);
    const { rows } = await database.store.query<{ row: string }>(
      "select encode(password || extra, 'escape') as row from connection",
    );
    expect(rows[0]?.row).not.toMatch(/s3cret|hidden-key/);
    expect(await cli.fails(4, "connections", "add", "warehouse", "--conn-uri", uri)).toContain(
      'connection "warehouse" already exists',
    );
    expect(await cli.run("connections", "delete", "warehouse")).toMatchObject({ code: 0 });
    expect(await cli.fails(3, "connections", "delete", "warehouse")).toContain("warehouse");
  });

  it("are added by fields or JSON, in exactly one way", async () => {
    const fields = [
      "--conn-type",
      "http",
      "--conn-host",
      "api.example.com",
      "--conn-port",
      "443",
      "--conn-extra",
      '{"a": {"b": 1}}',
    ];
    expect(await cli.run("connections", "add", "api", ...fields, "--conn-description", "the API")).toMatchObject({ code: 0 });
    expect(await cli.json("connections", "get", "api")).toMatchObject({
      host: "api.example.com",
      port: 443,
      description: "the API",
      extra_dejson: { a: { b: 1 } },
    });
    expect(await cli.run("connections", "add", "aws", "--conn-json", '{"conn_type": "aws", "login": "x"}')).toMatchObject({
      code: 0,
    });
    expect(await cli.fails(2, "connections", "add", "c")).toContain("exactly one way");
    expect(await cli.fails(2, "connections", "add", "c", "--conn-uri", uri, "--conn-host", "x")).toContain("exactly one way");
    expect(await cli.fails(2, "connections", "add", "c", "--conn-host", "x")).toContain("--conn-type");
    expect(await cli.fails(2, "connections", "add", "a/b", "--conn-uri", uri)).toContain('"a/b"');
    const wrong = await cli.fails(2, "connections", "add", "c", "--conn-uri", "not a uri with s3cret");
    expect(wrong).toContain("cannot be read");
    expect(wrong).not.toContain("s3cret");
  });

  it("of the environment are shown by get", async () => {
    const ended = await cli.runWith({ BARAM_CONN_LAKE: "s3://key:secret-key@" }, "connections", "get", "lake", "-o", "json");
    expect(JSON.parse(ended.stdout)).toMatchObject({ conn_type: "s3", login: "key", password: "***", source: "environment" });
  });

  it("are hidden by the API's rule: in lists, numbers, URLs and strings, and by names that the deployment adds", async () => {
    const extra = {
      list: [{ "stripe-api-key": 1234567 }],
      endpoint: "amqp://u:in-url@broker",
      options: "mode=ro;Password=in-text",
      geheim: "own-name",
      is_token_set: true,
    };
    const environment = {
      BARAM_CONN_DEEP: JSON.stringify({ conn_type: "http", host: "https://u:in-host@h", extra }),
      BARAM__CORE__SENSITIVE_VAR_CONN_NAMES: "geheim",
      BARAM__API__BASE_URL: "https://proxy:in-option@example.com",
    };
    const ended = await cli.runWith(environment, "connections", "get", "deep", "-o", "json");
    expect(JSON.parse(ended.stdout)).toMatchObject({
      host: "https://u:***@h",
      extra_dejson: {
        list: [{ "stripe-api-key": "***" }],
        endpoint: "amqp://u:***@broker",
        options: "mode=ro;Password=***",
        geheim: "***",
        is_token_set: true,
      },
    });
    const option = await cli.runWith(environment, "config", "get-value", "api", "base_url");
    expect(option.stdout).toBe("https://proxy:***@example.com\n");
  });
});

describe("pools", () => {
  it("are set, shown, changed and deleted", async () => {
    expect(await cli.run("pools", "set", "warehouse", "4", "what it bears", "--include-deferred")).toMatchObject({ code: 0 });
    expect(await cli.json("pools", "get", "warehouse")).toEqual({
      pool: "warehouse",
      slots: 4,
      description: "what it bears",
      include_deferred: true,
      running_slots: 0,
      queued_slots: 0,
      scheduled_slots: 0,
      open_slots: 4,
    });
    expect(await cli.run("pools", "set", "warehouse", "-1")).toMatchObject({ code: 0 });
    expect(await cli.json("pools", "list")).toMatchObject([{ pool: "warehouse", slots: -1, open_slots: -1 }]);
    expect(await cli.run("pools", "delete", "warehouse")).toMatchObject({ code: 0 });
    expect(await cli.fails(3, "pools", "delete", "warehouse")).toContain("warehouse");
    expect(await cli.fails(3, "pools", "get", "warehouse")).toContain("warehouse");
    expect(await cli.fails(4, "pools", "delete", "default_pool")).toContain("cannot be deleted");
    expect(await cli.fails(2, "pools", "set", "warehouse", "many")).toContain("whole number");
    expect(await cli.fails(2, "pools", "set", "a b", "1")).toContain('"a b"');
  });
});

describe("jobs", () => {
  it("are alive as long as they give a sign of life", async () => {
    const insert =
      "insert into job (job_type, hostname, pid, latest_heartbeat) values ('SchedulerJob', $1, 1, now() - $2::interval)";
    await database.store.query(insert, ["silent", "1 hour"]);
    expect(await cli.fails(1, "jobs", "check")).toContain("No alive jobs");
    await database.store.query(insert, ["one", "0"]);
    await database.store.query(insert, ["two", "0"]);
    expect(await cli.run("jobs", "check", "--hostname", "one")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^Found one alive job\.\nSchedulerJob on one, process 1: alive since \d{4}-.+Z, last heard of \d{4}-.+Z\n$/,
      ),
    });
    expect(await cli.fails(1, "jobs", "check", "--limit", "0")).toContain("2 alive jobs");
    expect(await cli.run("jobs", "check", "--limit", "0", "--allow-multiple")).toMatchObject({ code: 0 });
    expect(await cli.fails(1, "jobs", "check", "--job-type", "WorkerJob")).toContain("No alive jobs");
  });
});

describe("db", () => {
  it("is checked, migrated and reset", async () => {
    expect(await cli.run("db", "check")).toMatchObject({ code: 0 });
    expect(await cli.run("db", "migrate")).toMatchObject({ code: 0, stdout: "The schema is up to date.\n" });
    expect(await cli.fails(2, "db", "reset")).toContain("--yes");
    await cli.run("variables", "set", "a", "b");
    expect(await cli.run("db", "reset", "--yes")).toMatchObject({ code: 0 });
    expect(await cli.json("variables", "list")).toEqual([]);
    expect(await cli.json("pools", "list")).toMatchObject([{ pool: "default_pool" }]);
  });

  it("of the operator's own is not migrated without being asked", async () => {
    await database.store.query("delete from baram_migration");
    expect(await cli.fails(1, "variables", "list")).toContain('"baram db migrate"');
    expect(await cli.fails(1, "db", "check")).toContain('"baram db migrate"');
    await database.store.query("drop schema public cascade; create schema public");
    expect(await cli.run("db", "migrate")).toMatchObject({ code: 0, stdout: expect.stringContaining("initial") });
  });

  it("that cannot be reached is one sentence", async () => {
    const ended = await cli.runWith({ BARAM__DATABASE__URL: "postgres://u:p4ssword@127.0.0.1:1/x" }, "dags", "list");
    expect(ended).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^error: The database at 127\.0\.0\.1:1\/x cannot be reached: .*\n$/),
    });
    expect(ended.stderr).not.toContain("p4ssword");
  });
});

it.runIf(existsSync("/usr/bin/script"))("a secret that is read from a terminal is asked for", async () => {
  const command = [process.execPath, MAIN, "connections", "add", "typed", "--conn-type", "http", "--conn-password-file", "-"];
  const quoted = command.map((word) => `'${word}'`).join(" ");
  const child = spawn("/usr/bin/script", ["-qec", quoted, "/dev/null"], { cwd: cli.folder, env: { ...cli.environment } });
  let shown = "";
  child.stdout.on("data", (chunk: Buffer) => {
    const wasAsked = shown.includes("Ctrl-D");
    shown += chunk.toString("utf8");
    if (!wasAsked && shown.includes("Ctrl-D")) child.stdin.write("hunter2hunter2\n\x04");
  });
  const [code] = await once(child, "close");
  expect(shown).toContain("--conn-password-file - reads what you type");
  expect(shown).toContain("Connection typed (http) is added");
  expect(code).toBe(0);
});
