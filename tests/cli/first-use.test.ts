/** The first use by a new user: in a folder where Baram was never started, or with a mistyped BARAM_HOME. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { type Cli, createCli } from "./run-cli.ts";

let cli: Cli;
beforeEach(() => {
  cli = createCli();
});
afterEach(() => cli.remove());
const made = createCli();
afterAll(() => made.remove());

it("a command makes no database: it names the folder and what makes one", { timeout: 60_000 }, async () => {
  const home = join(cli.folder, "home");
  for (const command of [
    ["dags", "list"],
    ["variables", "set", "region", "x"],
    ["pools", "list"],
    ["db", "check"],
    ["db", "reset", "--yes"],
    ["scheduler"],
    ["api-server"],
    ["dag-processor"],
    ["triggerer"],
  ]) {
    const message = await cli.fails(1, ...command);
    expect(message, command.join(" ")).toContain(`There is no database in BARAM_HOME ${home}`);
    expect(message).toMatch(/set BARAM_HOME to it.*"baram standalone" or "baram db migrate"/);
    expect(existsSync(home), `${command.join(" ")} made the home`).toBe(false);
  }
});

it("db migrate makes it, and ends its server; then commands work", { timeout: 60_000 }, async () => {
  expect(await made.run("db", "migrate")).toMatchObject({ code: 0, stdout: expect.stringContaining("Applied"), stderr: "" });
  expect(await made.run("variables", "set", "region", "eu-central-1")).toMatchObject({ code: 0, stderr: "" });
  expect(await made.run("variables", "get", "region")).toMatchObject({ code: 0, stdout: "eu-central-1\n" });
  expect(await made.json("pools", "list")).toMatchObject([{ pool: "default_pool", slots: 128 }]);
  expect(await made.run("db", "check")).toMatchObject({ code: 0 });
  const left = readdirSync(made.folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith("postmaster.pid"));
  expect(left, "the server must not be left running").toEqual([]);
});

it("dags test needs no database: what nobody has stored has the DAG's default", { timeout: 60_000 }, async () => {
  cli.writeDag(
    "plain.ts",
    `import { dag, task } from "baram";
     export default dag({ dagId: "plain" }, () => {
       task({ taskId: "t" }, async (ctx) => ctx.logger.info("region " + (await ctx.variable("region", { default: "none" }))))();
     });`,
  );
  const ended = await cli.run("dags", "test", "plain", "-o", "json");
  expect(ended.stderr).toContain("region none");
  expect(ended).toMatchObject({ code: 0 });
  expect(existsSync(join(cli.folder, "home"))).toBe(false);
});

it("a secret that the API servers have is not made anew for a command", async () => {
  const address = { BARAM__DATABASE__URL: "postgres://127.0.0.1:1/x" };
  const ended = await cli.runWith(address, "worker", "token", "--name", "w");
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  expect(ended.stderr).toContain(`There is no jwt_secret in BARAM_HOME ${join(cli.folder, "home")}`);
  expect(ended.stderr).toContain("Set BARAM__API_AUTH__JWT_SECRET");
  expect(existsSync(join(cli.folder, "home"))).toBe(false);
});

it("a DAG folder that is a file, or is not there, is said with its path", { timeout: 60_000 }, async () => {
  const file = join(cli.folder, "a-file");
  writeFileSync(file, "");
  const standalone = await cli.runWith({ BARAM__CORE__DAGS_FOLDER: file, BARAM__API__PORT: "0" }, "standalone");
  expect(standalone).toMatchObject({ code: 1 });
  expect(standalone.stderr).toContain(`error: [core] dags_folder is ${file}, which is a file. Set it to the folder`);
  const missing = join(cli.folder, "nowhere");
  const test = await cli.runWith({ BARAM__CORE__DAGS_FOLDER: missing }, "dags", "test", "x");
  expect(test).toMatchObject({ code: 1 });
  expect(test.stderr).toContain(`The DAG folder ${missing} does not exist. Make it, or set BARAM__CORE__DAGS_FOLDER`);
  expect(existsSync(missing)).toBe(false);
});
