import { readdirSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { createCli } from "./run-cli.ts";

const cli = createCli();
afterAll(() => cli.remove());

it("works before the first start: the embedded database is made, migrated and ended again", { timeout: 60_000 }, async () => {
  expect(await cli.run("variables", "set", "region", "eu-central-1")).toMatchObject({ code: 0, stderr: "" });
  expect(await cli.run("variables", "get", "region")).toMatchObject({ code: 0, stdout: "eu-central-1\n" });
  expect(await cli.json("pools", "list")).toMatchObject([{ pool: "default_pool", slots: 128 }]);
  expect(await cli.run("db", "check")).toMatchObject({ code: 0 });
  const left = readdirSync(cli.folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith("postmaster.pid"));
  expect(left, "the server must not be left running").toEqual([]);
});
