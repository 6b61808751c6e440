import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTokens } from "../../src/platform/index.ts";
import { beatWorker } from "../../src/store/index.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Cli, createCli } from "./run-cli.ts";

let database: TestDatabase;
let cli: Cli;
beforeAll(async () => {
  database = await createTestDatabase();
  cli = createCli(database.address);
  const facts = { hostname: "host-1", pid: 7, version: "1", queues: ["default"], concurrency: 4, active: 1, takesOver: null };
  for (const name of ["w1", "w2"])
    await beatWorker(database.store, name, { ...facts, instance: randomUUID(), state: "running" }, 30);
}, 30_000);
afterAll(async () => {
  cli.remove();
  await database.drop();
});

const requested = async (name: string) =>
  (await database.store.query("select wished_queues as queues, wished_shutdown as shutdown from worker where name = $1", [name]))
    .rows[0];

it("workers are listed, given other queues and asked to end from the command line", async () => {
  const listed = await cli.json<{ name: string }[]>("worker", "list");
  expect(listed).toMatchObject([
    { name: "w1", state: "running", queues: "default", concurrency: 4, active: 1 },
    { name: "w2", state: "running" },
  ]);
  await cli.run("worker", "add-queue", "w1", "heavy,rare");
  await cli.run("worker", "remove-queue", "w1", "default");
  expect(await requested("w1")).toEqual({ queues: ["heavy", "rare"], shutdown: false });
  await cli.run("worker", "stop", "w1");
  expect(await requested("w1")).toMatchObject({ shutdown: true });
  expect(await requested("w2")).toMatchObject({ shutdown: false });
  expect((await cli.run("worker", "shutdown", "--yes")).stdout).toContain("Asked to stop: ");
  expect(await requested("w2")).toMatchObject({ shutdown: true });
  expect(await cli.fails(3, "worker", "stop", "absent")).toContain('No worker "absent" runs');
  expect(await cli.fails(2, "worker", "add-queue", "w1", "a:b")).toContain('"a:b" is no queue');
  expect(await cli.fails(2, "worker", "shutdown")).toContain("--yes");
});

it("a worker's token names its worker, or a prefix of names", async () => {
  expect(await cli.fails(2, "worker", "token")).toContain("--name");
  for (const wrong of ["", "*", "no name", "a*b", "a**", "x".repeat(201)])
    expect(await cli.fails(2, "worker", "token", "--name", wrong)).toContain("a worker token is for one worker's name");
  expect(await cli.fails(1, "worker", "token", "--name", "etl-1")).toContain("BARAM__API_AUTH__JWT_SECRET");
  for (const name of ["etl-1", "fleet-*"]) {
    const secret = { BARAM__API_AUTH__JWT_SECRET: Buffer.alloc(32, 5).toString("base64") };
    const { stdout } = await cli.runWith(secret, "worker", "token", "--name", name);
    const claims = JSON.parse(Buffer.from(stdout.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({ sub: name, aud: "baram:worker", exp: expect.any(Number) });
  }
});

it("a token in a file is replaced by a new one for the same worker, also when it has expired", async () => {
  const secret = { BARAM__API_AUTH__JWT_SECRET: "a secret of more than 32 characters" };
  const key = Buffer.from(secret.BARAM__API_AUTH__JWT_SECRET);
  const folder = mkdtempSync(join(tmpdir(), "baram-token-"));
  const file = join(folder, "token");
  const old = await createTokens(key).sign("baram:worker", { subject: "fleet-*" }, -1_000);
  writeFileSync(file, `${old}\n`, { mode: 0o640 });
  const renewed = await cli.runWith(secret, "worker", "token", "--renew", file, "--days", "2");
  expect(renewed).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining('a new token for "fleet-*"') });
  const claims = await createTokens(key).verify("baram:worker", readFileSync(file, "utf8").trim());
  expect(claims).toMatchObject({ subject: "fleet-*" });
  expect(claims.expiresAt - Date.now() / 1_000).toBeCloseTo(2 * 86_400, -3);
  expect(statSync(file).mode & 0o777).toBe(0o640);

  const fails = async (...args: string[]) => {
    const ended = await cli.runWith(secret, "worker", "token", "--renew", ...args);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    return ended.stderr;
  };
  writeFileSync(file, await createTokens(Buffer.alloc(32, 6)).sign("baram:worker", { subject: "etl-1" }, 60));
  expect(await fails(file)).toContain("no worker token that this installation has signed");
  expect(await fails(join(folder, "none"))).toContain("add --name");
  await cli.runWith(secret, "worker", "token", "--renew", join(folder, "none"), "--name", "etl-2");
  expect(statSync(join(folder, "none")).mode & 0o777).toBe(0o600);
  rmSync(folder, { recursive: true });
});

it("a worker that is started without what it needs is told what is missing, by its option", async () => {
  expect(await cli.fails(1, "worker", "start", "--name", "x")).toContain("[workers] token is not set");
  expect(await cli.fails(2, "worker", "start", "--autoscale", "4,2", "--concurrency", "3")).toContain("exclude each other");
  expect(await cli.fails(2, "worker", "start", "--name", "no name")).toContain('The worker\'s name is "no name"');
});
