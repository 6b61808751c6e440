import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { silentLogger } from "../../src/platform/index.ts";
import { migrate, openStore, type ServerAddress, startEmbeddedServer } from "../../src/store/index.ts";

declare module "vitest" {
  export interface ProvidedContext {
    postgres: ServerAddress;
  }
}

export const TEMPLATE_DATABASE = "baram_template";

/** Builds dist (child processes run from it) and starts one PostgreSQL with a migrated template database for all tests. */
export default async function setup(project: TestProject) {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  // Compiles only stale files. Type errors are reported by the type check; the compiler emits the files nevertheless.
  spawnSync(process.execPath, [join(root, "scripts", "ensure-installed.mjs")], { stdio: "ignore" });
  const home = mkdtempSync(join(tmpdir(), "baram-test-"));
  // Durability is off here for speed; the fault tests start their own servers with it.
  const settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300"];
  const server = await startEmbeddedServer({ home, password: "test", logger: silentLogger, takeOver: true, settings });
  const admin = openStore({
    address: server.address,
    poolSize: 1,
    retryWindowMs: 0,
    applicationName: "setup",
    logger: silentLogger,
  });
  await admin.query(`create database ${TEMPLATE_DATABASE}`);
  await admin.close();
  const template = openStore({
    address: { ...server.address, database: TEMPLATE_DATABASE },
    poolSize: 1,
    retryWindowMs: 0,
    applicationName: "setup",
    logger: silentLogger,
  });
  await migrate(template, silentLogger);
  await template.close();
  project.provide("postgres", server.address);
  return async () => {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  };
}
