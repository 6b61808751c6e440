import { BaramError, type Logger, sleep } from "../platform/index.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import type { Migration } from "./migrations/migration.ts";
import type { Store } from "./store.ts";

/** Any constant of our own: one process migrates at a time, the others wait. */
const MIGRATION_LOCK = 727_001;

export type MigrationStatus = { current: number; latest: number; pending: string[] };

/** How often a process that waits for another one's migration looks again. */
const LOCK_POLL_MS = 100;

/** Brings the schema up to date; safe to call from several processes at once. Returns the names of what was applied. */
export async function migrate(store: Store, logger: Logger): Promise<string[]> {
  const { rows } = await store.query<{ exists: boolean }>("select to_regclass('baram_migration') is not null as exists");
  if (!rows[0]?.exists) return makeSchema(store, logger);
  const applied: string[] = [];
  const { pending } = await migrationStatus(store);
  for (const migration of MIGRATIONS) {
    if (!pending.includes(migration.name)) continue;
    const isOurs = migration.online ? await applyOnline(store, migration) : await applyAtOnce(store, migration);
    if (!isOurs) continue;
    logger.info({ migration: migration.name }, "migrated the database");
    applied.push(migration.name);
  }
  return applied;
}

/** All in one transaction, so that no partial schema is left behind. */
async function makeSchema(store: Store, logger: Logger): Promise<string[]> {
  const made = await store.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    // Not by to_regclass: it locks nothing, so it may answer from what this session knew before it waited.
    const { rows } = await tx.query<{ exists: boolean }>(
      "select exists (select 1 from pg_tables where schemaname = current_schema() and tablename = 'baram_migration') as exists",
    );
    if (rows[0]?.exists) return false;
    await tx.query(
      "create table baram_migration (version int primary key, name text not null, breaking boolean not null, applied_at timestamptz not null default now())",
    );
    for (const migration of MIGRATIONS) {
      await tx.query(migration.online ? migration.sql.replaceAll(/\bindex concurrently\b/g, "index") : migration.sql);
      await record(tx, migration);
    }
    return true;
  });
  if (!made) return migrate(store, logger);
  logger.info({ migrations: MIGRATIONS.length }, "made the database's schema");
  return MIGRATIONS.map((migration) => migration.name);
}

/** false: another process has applied it. */
async function applyAtOnce(store: Store, migration: Migration): Promise<boolean> {
  return store.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    if (await isApplied(tx, migration)) return false;
    await tx.query(migration.sql);
    await record(tx, migration);
    return true;
  });
}

/**
 * On one connection; the lock is released with it. The lock is polled, not waited for: `create index concurrently` waits for all
 * older snapshots, and a process that waited for this lock would hold one.
 */
async function applyOnline(store: Store, migration: Migration): Promise<boolean> {
  const client = await store.pool.connect();
  // The statement under way fails and says why.
  client.on("error", () => {});
  try {
    for (;;) {
      const { rows } = await client.query<{ got: boolean }>("select pg_try_advisory_lock($1) as got", [MIGRATION_LOCK]);
      if (rows[0]?.got) break;
      await sleep(LOCK_POLL_MS);
    }
    if (await isApplied(client, migration)) return false;
    for (const statement of migration.sql.split(";").map((text) => text.trim())) {
      const name = /^(?:create|drop) index concurrently (\w+)/.exec(statement)?.[1];
      if (name === undefined) throw new Error(`not a statement of an online migration: ${statement}`);
      // An interrupted one leaves an invalid index, which is maintained but never used.
      await client.query(`drop index concurrently if exists ${name}`);
      if (statement.startsWith("create")) await client.query(statement);
    }
    await record(client, migration);
    return true;
  } finally {
    // Closed, not returned to the pool: this releases the lock even if a statement failed.
    client.release(true);
  }
}

type Queryable = { query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> };

async function isApplied(db: Queryable, { version }: Migration): Promise<boolean> {
  return (await db.query("select 1 from baram_migration where version = $1", [version])).rows.length > 0;
}

async function record(db: Queryable, { version, name, breaking }: Migration): Promise<void> {
  await db.query("insert into baram_migration (version, name, breaking) values ($1, $2, $3)", [version, name, breaking]);
}

/** What is applied and what is not; throws `schema_too_new` if a newer Baram made a breaking change. */
export async function migrationStatus(store: Store): Promise<MigrationStatus> {
  const { rows: found } = await store.query<{ exists: boolean }>("select to_regclass('baram_migration') is not null as exists");
  const rows = found[0]?.exists
    ? (await store.query<{ version: number; breaking: boolean }>("select version, breaking from baram_migration")).rows
    : [];
  refuseNewer(rows);
  return {
    current: Math.max(0, ...rows.map((row) => row.version)),
    latest: Math.max(...MIGRATIONS.map((migration) => migration.version)),
    pending: MIGRATIONS.filter((migration) => !rows.some((row) => row.version === migration.version)).map(
      (migration) => migration.name,
    ),
  };
}

/** Throws `schema_not_migrated` unless every migration is applied. */
export async function checkMigrated(store: Store): Promise<void> {
  const { pending } = await migrationStatus(store);
  if (pending.length === 0) return;
  throw new BaramError(
    "schema_not_migrated",
    `The database lacks ${pending.length} migration(s) (${pending.join(", ")}). Run "baram db migrate".`,
    { pending },
  );
}

/** Drops every table and migrates anew. All data is lost. */
export async function resetSchema(store: Store, logger: Logger): Promise<void> {
  await store.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const { rows } = await tx.query<{ tablename: string }>("select tablename from pg_tables where schemaname = current_schema()");
    for (const { tablename } of rows) await tx.query(`drop table if exists "${tablename.replaceAll('"', '""')}" cascade`);
  });
  await migrate(store, logger);
}

function refuseNewer(rows: readonly { version: number; breaking: boolean }[]): void {
  const latest = Math.max(...MIGRATIONS.map((migration) => migration.version));
  const newer = rows.find((row) => row.version > latest && row.breaking);
  if (!newer) return;
  throw new BaramError(
    "schema_too_new",
    `The database was migrated to version ${newer.version} by a newer Baram; this one knows ${latest}. Install the newer Baram.`,
    newer,
  );
}
