import { BaramError, type Logger } from "../platform/index.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import type { Store } from "./store.ts";

/** Any constant of our own: one process migrates at a time, the others wait. */
const MIGRATION_LOCK = 727_001;

export type MigrationStatus = { current: number; latest: number; pending: string[] };

/** Brings the schema up to date; safe to call from several processes at once. Returns the names of what was applied. */
export async function migrate(store: Store, logger: Logger): Promise<string[]> {
  const { rows } = await store.query<{ exists: boolean }>("select to_regclass('baram_migration') is not null as exists");
  if (rows[0]?.exists) {
    const status = await migrationStatus(store);
    if (status.pending.length === 0) return [];
  }
  return store.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await tx.query(
      "create table if not exists baram_migration (version int primary key, name text not null, breaking boolean not null, applied_at timestamptz not null default now())",
    );
    const done = await tx.query<{ version: number; breaking: boolean }>("select version, breaking from baram_migration");
    refuseNewer(done.rows);
    const applied: string[] = [];
    for (const migration of MIGRATIONS) {
      if (done.rows.some((row) => row.version === migration.version)) continue;
      await tx.query(migration.sql);
      await tx.query("insert into baram_migration (version, name, breaking) values ($1, $2, $3)", [
        migration.version,
        migration.name,
        migration.breaking,
      ]);
      logger.info({ migration: migration.name }, "migrated the database");
      applied.push(migration.name);
    }
    return applied;
  });
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
