import { readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { dumpSchema } from "../../tests/support/dump-schema.ts";
import { silentLogger } from "../platform/index.ts";
import { checkMigrated, migrate, migrationStatus, resetSchema } from "./migrate.ts";
import { MIGRATIONS } from "./migrations/index.ts";

const SNAPSHOT = new URL("schema.snapshot.txt", import.meta.url);
const NAMES = MIGRATIONS.map((migration) => migration.name);

let database: TestDatabase;
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** As a database that Baram has never seen. */
async function empty(): Promise<void> {
  const { rows } = await database.store.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'public'",
  );
  await database.store.query(`drop table ${rows.map((row) => row.name).join(", ")} cascade`);
}

test("an empty database gets every migration once; a second call finds nothing to do", async () => {
  await empty();
  await expect(checkMigrated(database.store)).rejects.toMatchObject({ code: "schema_not_migrated" });
  expect(await migrationStatus(database.store)).toMatchObject({ current: 0, pending: NAMES });
  expect(await migrate(database.store, silentLogger)).toEqual(NAMES);
  expect(await migrate(database.store, silentLogger)).toEqual([]);
  await checkMigrated(database.store);
});

test("several processes that migrate at once apply each migration once, and none fails", async () => {
  await empty();
  const stores = Array.from({ length: 5 }, () => database.open());
  const applied = await Promise.all(stores.map((store) => migrate(store, silentLogger)));
  expect(applied.flat()).toEqual(NAMES);
});

test("an older Baram refuses a database that a newer one changed in a breaking way, and touches nothing", async () => {
  await database.store.query("insert into baram_migration (version, name, breaking) values (999, 'from-the-future', true)");
  for (const attempt of [migrate, checkMigrated, migrationStatus])
    await expect(attempt(database.store, silentLogger)).rejects.toMatchObject({
      code: "schema_too_new",
      message: expect.stringContaining("999"),
    });
});

test("a newer migration that breaks nothing is let be", async () => {
  await database.store.query("insert into baram_migration (version, name, breaking) values (999, 'an-index', false)");
  await checkMigrated(database.store);
  expect(await migrate(database.store, silentLogger)).toEqual([]);
});

test("a reset leaves the same schema and no rows", async () => {
  const before = await dumpSchema(database.store);
  await database.store.query("insert into slot_pool values ('p', 1, null)");
  await resetSchema(database.store, silentLogger);
  expect(await dumpSchema(database.store)).toBe(before);
  expect((await database.store.query("select 1 from slot_pool")).rows).toEqual([]);
});

test("migration versions count up from 1 and names are unique", () => {
  expect(MIGRATIONS.map((migration) => migration.version)).toEqual(MIGRATIONS.map((_, at) => at + 1));
  expect(new Set(NAMES).size).toBe(NAMES.length);
});

test("the schema is the one in schema.snapshot.txt; after a new migration, renew it with RENEW_SCHEMA=1 npx vitest run src/store/migrate.db.test.ts", async () => {
  const schema = await dumpSchema(database.store);
  if (process.env.RENEW_SCHEMA) writeFileSync(SNAPSHOT, schema);
  expect(schema).toBe(readFileSync(SNAPSHOT, "utf8"));
});
