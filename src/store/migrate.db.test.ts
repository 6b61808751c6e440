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

test("an online migration lets others write while it is under way, and repairs what one that broke off has left", async () => {
  const online = MIGRATIONS.find((migration) => migration.name === "read-indexes");
  const before = await dumpSchema(database.store);
  await database.store.query("delete from baram_migration where version = $1", [online?.version]);
  await database.store.query("drop index ti_operator, ti_retried");
  await database.store.query("create index ti_retried on task_instance (run_id)");
  const [writer, another, admin] = [database.open(), database.open(), database.open()];
  let applied: Promise<string[]> = Promise.resolve([]);
  await writer.transaction(async (tx) => {
    // Holds the table as every write does; the index waits for the end of this transaction.
    await tx.query("update task_instance set note = 'x'");
    applied = migrate(database.store, silentLogger);
    const waits =
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%index concurrently%'";
    await expect.poll(async () => (await admin.query(waits)).rowCount, { timeout: 15_000 }).toBe(1);
    await another.query("update task_instance set note = 'y'");
  });
  expect(await applied).toEqual(["read-indexes"]);
  expect(await dumpSchema(database.store)).toBe(before);
});

test("every foreign key has an index that leads with its columns: a row that is deleted is looked for in each table that may refer to it", async () => {
  const { rows } = await database.store.query(`
select k.conrelid::regclass::text as "table", k.conname as name from pg_constraint k
 where k.contype = 'f' and k.connamespace = 'public'::regnamespace
   and not exists (
     select 1 from pg_index i join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
      where i.indrelid = k.conrelid and i.indisvalid
        and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] <@ k.conkey
        and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))`);
  expect(rows).toEqual([]);
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
