import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { createCli, MAIN } from "./run-cli.ts";

const cli = createCli();
afterAll(() => cli.remove());

describe("the command line", () => {
  it("prints its version and its help on stdout", async () => {
    const [version, help, groupHelp] = await Promise.all([
      cli.run("version"),
      cli.run("--help"),
      cli.run("dags", "trigger", "--help"),
    ]);
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("standalone"), stderr: "" });
    expect(groupHelp.stdout).toContain("Example:\n  $ baram dags trigger");
  });

  it("answers wrong usage with exit code 2 and the nearest command", async () => {
    expect(await cli.fails(2, "dgas")).toContain("Did you mean dags?");
    expect(await cli.fails(2, "dags", "lst")).toContain("Did you mean list?");
    expect(await cli.fails(2, "dags", "trigger")).toContain("missing required argument");
    expect(await cli.fails(2, "config", "list", "-o", "xml")).toContain("Allowed choices are table, json, yaml, plain");
    expect(await cli.fails(2, "api-server", "--port", "70000")).toContain("0 to 65535");
    expect(await cli.fails(2, "dags", "list", "--otput", "json")).toContain("Did you mean --output?");
    expect(await cli.fails(2, "standalone", "--prot", "1")).toContain("Did you mean --port?");
    expect(await cli.fails(2, "dags", "list", "extra")).toContain("too many arguments");
    expect(await cli.fails(2, "tasks", "render", "d", "t", "r", "--map-index", "2147483648")).toContain("0 to 2147483647");
    expect((await cli.run("dags")).code).toBe(2);
  });

  it("answers a command of Airflow that Baram lacks with what to do instead", async () => {
    expect(await cli.fails(2, "tasks", "test", "d", "t", "2026-01-01")).toContain("baram dags test DAG_ID");
    expect(await cli.fails(2, "--verbose", "webserver")).toContain("baram api-server");
    const { INSTEAD_OF_COMMANDS } = await import("../../src/cli/airflow-commands.ts");
    const { createProgram } = await import("../../src/cli/program.ts");
    const { program } = createProgram();
    for (const [name, instead] of Object.entries(INSTEAD_OF_COMMANDS)) {
      const [group, command] = name.split(" ");
      const found = program.commands.find((one) => one.name() === group);
      expect(command === undefined ? found : found?.commands.find((one) => one.name() === command), name).toBeUndefined();
      // What is offered instead exists.
      for (const [, group = "", command = ""] of instead.matchAll(/baram ([a-z][a-z-]*) ?([a-z-]*)/g)) {
        const offered = program.commands.find((one) => one.name() === group);
        expect(offered, `${name}: ${group}`).toBeDefined();
        if (offered && offered.commands.length > 0 && command !== "")
          expect(
            offered.commands.map((one) => one.name()),
            `${name}: ${group}`,
          ).toContain(command);
      }
    }
  });

  it("answers a flag of Airflow that Baram lacks with what to do instead", async () => {
    const daemon = await cli.fails(2, "scheduler", "--daemon");
    expect(daemon).toMatch(/^unknown option '--daemon'/);
    expect(daemon).toContain("service manager");
    expect(await cli.fails(2, "dags", "list", "-S", "/dags")).toContain("[core] dags_folder");
    expect(await cli.fails(2, "users", "set-password", "ada", "--password=x")).toContain("--password-file");
    expect(await cli.fails(2, "dags", "list", "--nothing")).not.toContain("Airflow");
    // No hint for a flag that the command has, and what is offered instead exists.
    const { INSTEAD_OF_COMMANDS, INSTEAD_OF_FLAGS } = await import("../../src/cli/airflow-commands.ts");
    const { createProgram } = await import("../../src/cli/program.ts");
    const { program } = createProgram();
    const find = (path: string[]) =>
      path.reduce<typeof program | undefined>(
        (at, name) => at?.commands.find((one) => one.name() === name) as typeof program | undefined,
        program,
      );
    expect(Object.keys(INSTEAD_OF_COMMANDS).length).toBeGreaterThan(0);
    for (const [name, instead] of Object.entries(INSTEAD_OF_FLAGS)) {
      const words = name.split(" ");
      const flag = words.pop();
      const command = find(words);
      expect(command, name).toBeDefined();
      if (words.length > 0) expect(command?.options.flatMap(({ long, short }) => [long, short])).not.toContain(flag);
      for (const [, group = "", sub = ""] of instead.matchAll(/"baram ([a-z][a-z-]*) ?([a-z-]*)/g))
        expect(find(sub === "" ? [group] : [group, sub]), `${name}: ${group} ${sub}`).toBeDefined();
    }
  });

  it("has an example in the help of every command", async () => {
    const { createProgram } = await import("../../src/cli/program.ts");
    const leaves = (command: ReturnType<typeof createProgram>["program"]): (typeof command)[] =>
      command.commands.length === 0 ? [command] : command.commands.flatMap((one) => leaves(one as typeof command));
    const all = leaves(createProgram().program);
    expect(all.length).toBeGreaterThan(35);
    for (const command of all) {
      let text = "";
      command.configureOutput({ writeOut: (part) => (text += part) });
      command.outputHelp();
      expect(text, command.name()).toContain("Example:\n  $ baram ");
    }
  });

  it.each([
    ["data", ["config", "list"], 1],
    ["data as JSON", ["config", "list", "-o", "json"], 1],
    ["data as YAML", ["config", "list", "-o", "yaml"], 1],
    ["a remark", ["version"], 1],
    ["the version", ["--version"], 1],
    ["help", ["--help"], 1],
    ["the help of a group", ["dags", "--help"], 1],
    ["the help of a command", ["dags", "trigger", "--help"], 1],
    ["help that was asked for by name", ["help", "dags"], 1],
    ["nothing, for wrong usage", ["dags", "lst"], 2],
  ])("says in one line that a full disk took %s, and fails", async (_, command, expected) => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [MAIN, ...command], {
      env: { BARAM_HOME: cli.folder },
      stdio: ["ignore", full, "pipe"],
    });
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
    const [code] = await once(child, "close");
    closeSync(full);
    expect({ code, stderr }).toEqual({
      code: expected,
      stderr:
        expected === 1
          ? expect.stringMatching(/^error: The output could not be written: ENOSPC.*\n$/)
          : expect.stringMatching(/^error: unknown command.*\n.*Did you mean list/),
    });
  });

  it("keeps its exit code when nobody reads what it says of an error", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [MAIN, "config", "get-value", "core", "nope"], {
      env: { BARAM_HOME: cli.folder },
      stdio: ["ignore", "pipe", full],
    });
    const [code] = await once(child, "close");
    closeSync(full);
    expect(code).toBe(3);
  });

  it.each([
    [["config", "list"], 1],
    [["--help"], 1],
    [["nope"], 2],
    [["help", "nope"], 2],
  ])("fails without a word when nothing can be written at all: %j", async (command, expected) => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [MAIN, ...command], { env: { BARAM_HOME: cli.folder }, stdio: ["ignore", full, full] });
    const [code, signal] = await once(child, "close");
    closeSync(full);
    expect({ code, signal }).toEqual({ code: expected, signal: null });
  });

  it.each([[["config", "list"]], [["config", "list", "-o", "json"]], [["--help"]], [["help", "dags"]]])(
    "ends quietly when its reader goes away: %j",
    async (command) => {
      const child = spawn(process.execPath, [MAIN, ...command], { env: { BARAM_HOME: cli.folder } });
      child.stdout.destroy();
      let stderr = "";
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
      const [code] = await once(child, "close");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    },
  );
});

describe("config", () => {
  it("lists the options with their sources, secrets hidden", async () => {
    const secret = {
      BARAM__API_AUTH__JWT_SECRET: "a-very-long-secret-of-forty-characters!!",
      BARAM__CORE__PARALLELISM: "7",
      BARAM__ECS_EXECUTOR__RUN_TASK_KWARGS: JSON.stringify({
        overrides: { environment: [{ name: "API_KEY", value: "in-kwargs" }] },
      }),
    };
    const [json, yaml] = await Promise.all([
      cli.runWith(secret, "config", "list", "-o", "json"),
      cli.runWith(secret, "config", "list", "-o", "yaml"),
    ]);
    const rows = JSON.parse(json.stdout);
    expect(rows).toContainEqual({ section: "core", option: "parallelism", value: 7, source: "environment" });
    expect(rows).toContainEqual({ section: "api_auth", option: "jwt_secret", value: "***", source: "environment" });
    expect(parseYaml(yaml.stdout)).toEqual(rows);
    expect(json.stdout + yaml.stdout).not.toMatch(/very-long-secret|in-kwargs/);
  });

  it("narrows by section, and prints one value as it is", async () => {
    const rows = await cli.json<{ section: string; value: unknown }[]>("config", "list", "--section", "xcom", "--defaults");
    expect(rows).toEqual([{ section: "xcom", option: "max_size_bytes", value: 1_048_576, source: "default" }]);
    expect(await cli.run("config", "get-value", "core", "parallelism")).toMatchObject({ code: 0, stdout: "32\n" });
    expect(await cli.fails(3, "config", "get-value", "core", "nope")).toContain("[core] nope");
    expect(await cli.fails(3, "config", "get-value", "core", "paralelism")).toContain("Did you mean [core] parallelism?");
    expect(await cli.fails(3, "config", "list", "--section", "shceduler")).toContain("Did you mean [scheduler]?");
    expect(await cli.fails(3, "config", "list", "--section", "nope")).toContain('no section "nope"');
  });

  it("refuses a value that does not fit, naming the option", async () => {
    const ended = await cli.runWith({ BARAM__CORE__PARALLELISM: "many" }, "config", "list");
    expect(ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining('BARAM__CORE__PARALLELISM is "many"') });
  });

  it("shows what the installation is", async () => {
    expect(await cli.json("info")).toMatchObject({ database: "embedded PostgreSQL", executor: "LocalExecutor" });
  });
});
