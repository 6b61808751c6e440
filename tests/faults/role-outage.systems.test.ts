/**
 * PostgreSQL is unavailable when the roles start, and again while they run: their messages, how long they wait, and that SIGTERM
 * ends them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sleep } from "../../src/platform/index.ts";
import { MAIN } from "../cli/run-cli.ts";
import { type OwnServer, startOwnServer, urlOf } from "../support/own-server.ts";

const ROLES = ["api-server", "scheduler", "dag-processor", "triggerer", "standalone"] as const;
/** Longer than the interval of every loop that uses the database: heartbeats, emails, periodic checks. */
const OUTAGE_MS = 12_000;
const LOST = "the database cannot be reached; trying again";
const BACK = "the database is back";

type Line = { msg: string; level: number; error?: string; attempt?: number; nextTrySec?: number; attempts?: number };
type Role = {
  readonly name: (typeof ROLES)[number];
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Its warnings and errors in the log, but for that of root. */
  warnings(): Line[];
  /** All its output to stdout and stderr. */
  text(): string;
};

let own: OwnServer;
let folder: string;
let roles: Role[] = [];
beforeEach(async () => {
  own = await startOwnServer();
  folder = mkdtempSync(join(tmpdir(), "baram-outage-"));
}, 60_000);
afterEach(async () => {
  for (const { child } of roles) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  await Promise.all(roles.map(({ ended }) => ended));
  roles = [];
  await own.drop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

function startRole(name: Role["name"], environment: Record<string, string>): Role {
  const child = spawn(process.execPath, [MAIN, name], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? "",
      BARAM_HOME: join(folder, name),
      BARAM__DATABASE__URL: urlOf(own.address),
      BARAM__CORE__LOAD_EXAMPLES: "false",
      BARAM__API__PORT: "0",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
    stderr += chunk.toString("utf8");
  });
  return {
    name,
    child,
    ended: new Promise((resolve) => child.once("close", resolve)),
    warnings: () =>
      stderr
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line) as Line)
        // That it runs as root is no news of the database.
        .filter(({ level, msg }) => level >= 40 && !msg.includes("runs as root")),
    text: () => text,
  };
}

const startAll = (environment: Record<string, string> = {}) => {
  roles = ROLES.map((name) => startRole(name, environment));
};
const told = (message: string) => roles.map((role) => role.warnings().filter(({ msg }) => msg === message).length);
const isUp = (role: Role) => role.text().includes(role.name === "standalone" ? "Baram is up" : `${role.name} started`);
const none = () => roles.map(() => 0);
const oneEach = () => roles.map(() => 1);

test("roles that start without a database say so at once, wait, say that it is back, and start; a loss later is one line, and one at its end", async () => {
  await own.awayWhile(async () => {
    startAll();
    await expect.poll(() => told(LOST), { timeout: 60_000 }).toEqual(oneEach());
    for (const role of roles) {
      expect(role.warnings()[0], role.name).toMatchObject({ attempt: 1, error: expect.stringContaining("ENOENT") });
      expect(role.warnings()[0]?.nextTrySec, role.name).toBeLessThanOrEqual(1);
    }
    await sleep(2_000);
    expect(told(BACK)).toEqual(none());
    expect(told(LOST)).toEqual(oneEach());
  });
  await expect.poll(() => told(BACK), { timeout: 60_000 }).toEqual(oneEach());
  await expect.poll(() => roles.filter((role) => !isUp(role)).map(({ name }) => name), { timeout: 60_000 }).toEqual([]);
  const before = roles.map((role) => role.warnings().length);

  await own.awayWhile(() => sleep(OUTAGE_MS));
  await expect.poll(() => told(BACK), { timeout: 60_000 }).toEqual(roles.map(() => 2));
  for (const [at, role] of roles.entries())
    expect(
      role
        .warnings()
        .slice(before[at])
        .map(({ msg }) => msg),
      role.name,
    ).toEqual([LOST, BACK]);

  // The database does not come back: a stop does not wait for it.
  await own.awayWhile(async () => {
    await expect.poll(() => told(LOST), { timeout: 60_000 }).toEqual(roles.map(() => 3));
    for (const { child } of roles) child.kill("SIGTERM");
    await Promise.race([Promise.all(roles.map(({ ended }) => ended)), sleep(15_000)]);
    expect(roles.map(({ name, child }) => [name, child.exitCode])).toEqual(roles.map(({ name }) => [name, 0]));
  });
}, 150_000);

test("the first SIGTERM ends a role that waits for its database", async () => {
  await own.awayWhile(async () => {
    startAll();
    await expect.poll(() => told(LOST), { timeout: 60_000 }).toEqual(oneEach());
    for (const { child } of roles) child.kill("SIGTERM");
    expect(await Promise.race([Promise.all(roles.map(({ ended }) => ended)), sleep(8_000)])).toEqual(none());
  });
}, 60_000);

test("[database] start_timeout is how long each of them waits; then it says what it could not reach", async () => {
  await own.awayWhile(async () => {
    startAll({ BARAM__DATABASE__START_TIMEOUT: "1" });
    expect(await Promise.race([Promise.all(roles.map(({ ended }) => ended)), sleep(20_000)])).toEqual(roles.map(() => 1));
    for (const role of roles) {
      expect(told(LOST), "it was tried again").toEqual(oneEach());
      expect(role.text(), role.name).toMatch(/^error: The database at .+\/postgres cannot be reached: .*ENOENT/m);
    }
  });
}, 60_000);

test("a database that does not exist, or a wrong password, ends each of them at once, with the remedy", async () => {
  const url = urlOf(own.address);
  const bad = [
    [url.replace("/postgres?", "/nope?"), /database "nope" does not exist\. Make it, with `createdb nope`/],
    [url.replace(":test@", ":wrong@"), /password authentication failed .*Correct user and password in \[database\] url/],
  ] as const;
  for (const [wrong, message] of bad) {
    startAll({ BARAM__DATABASE__URL: wrong });
    expect(await Promise.race([Promise.all(roles.map(({ ended }) => ended)), sleep(20_000)])).toEqual(roles.map(() => 1));
    for (const role of roles) expect(role.text(), role.name).toMatch(message);
    expect(told(LOST)).toEqual(none());
  }
}, 60_000);
