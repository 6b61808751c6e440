import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { loadConfig } from "../config/index.ts";
import { ensureFirstUser } from "./admin.ts";

let database: TestDatabase;
const home = mkdtempSync(join(tmpdir(), "baram-admin-"));
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await database.drop();
});

test("the generated password is one word in every shell and every tool", async () => {
  const first = await ensureFirstUser(loadConfig({ BARAM_HOME: home }, home), database.store);
  expect(first).toEqual({ isNew: true, passwordFile: join(home, "admin_password") });
  // 96 bits.
  expect(readFileSync(join(home, "admin_password"), "utf8")).toMatch(/^[0-9a-f]{24}\n?$/);
});
