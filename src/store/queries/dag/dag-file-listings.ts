import { createHash } from "node:crypto";
import type { Db } from "../../store.ts";
import { IS_INTACT, IS_KEPT } from "./dag-ownership.ts";

/** Serializes the forgetting of a bundle's files: each dag-processor then sees the listings of the others. */
const FORGET_LOCK = 727_007;

const renew = {
  name: "renew-dag-file-listing",
  text: `
update dag_file_listing set valid_until = now() + make_interval(secs => $3)
 where processor_id = $1 and bundle_name = $2 and ($4::text is null or files_hash = $4)`,
};

const replace = `
insert into dag_file_listing (processor_id, bundle_name, valid_until, files_hash, files) values ($1, $2, now() + make_interval(secs => $3), $4, $5)
on conflict (processor_id, bundle_name) do update
  set valid_until = excluded.valid_until, files_hash = excluded.files_hash, files = excluded.files`;

export type NewListing = { processorId: string; bundleName: string; validForSec: number };

/**
 * Stores the result of a scan. null: the scan could not read the folder, and the previous listing remains valid, if there is one.
 * An unchanged list is not sent.
 */
export async function keepListing(tx: Db, listing: NewListing, files: readonly string[] | null): Promise<void> {
  const key = [listing.processorId, listing.bundleName, listing.validForSec];
  const hash = files && createHash("sha256").update(JSON.stringify(files)).digest("hex");
  if ((await tx.query(renew, [...key, hash])).rowCount > 0 || files === null) return;
  await tx.query(replace, [...key, hash, files]);
}

/**
 * Deletes the listings of killed dag-processors. Not immediately: one that only lost its database connection will use its listing
 * again.
 */
export async function dropOldListings(db: Db): Promise<void> {
  await db.query("delete from dag_file_listing where valid_until < now() - interval '1 day'");
}

export async function endListings(db: Db, processorId: string): Promise<void> {
  await db.query("delete from dag_file_listing where processor_id = $1", [processorId]);
}

/** Until the end of the transaction; later transactions see the listings of those that held the lock before. */
export async function lockForgetting(tx: Db, bundleName: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock($1, hashtext($2))", [FORGET_LOCK, bundleName]);
}

/** Whether no living dag-processor reads the bundle of `f`, for example because it was removed from the configuration. */
const IS_ABANDONED =
  "not exists (select 1 from dag_file_listing l where l.bundle_name = f.bundle_name and l.valid_until > now())";

/**
 * $1 bundle. Records since when no living dag-processor has had a file, of this bundle or of one that nobody reads. A DAG's file
 * counts even if it has no row. `missing` tells whether there is any such file, so that an ordinary scan ends here.
 */
const mark = {
  name: "mark-missing-dag-files",
  text: `
with seen as (select distinct bundle_name, unnest(files) as filename from dag_file_listing where bundle_name = $1 and valid_until > now()),
known as (
  select bundle_name, filename from dag_file f where bundle_name = $1 or ${IS_ABANDONED}
   union select bundle_name, filename from dag where bundle_name = $1 and not is_stale
),
missing as (select * from known except select * from seen),
back as (
  update dag_file f set missing_since = null
   where f.bundle_name = $1 and f.missing_since is not null and f.filename in (select filename from seen)
), gone as (
  insert into dag_file (bundle_name, filename, inputs_hash, missing_since)
  select m.bundle_name, m.filename, '', now() from missing m
    left join dag_file f on f.bundle_name = m.bundle_name and f.filename = m.filename
   where f.missing_since is null order by m.bundle_name, m.filename
  on conflict (bundle_name, filename) do update set missing_since = now()
)
select count(*)::int as missing from missing`,
};

export async function markMissingFiles(tx: Db, bundleName: string): Promise<number> {
  return (await tx.query<{ missing: number }>(mark, [bundleName])).rows[0]?.missing ?? 0;
}

/** $1 bundle, $2 seconds, $3 files. In the order of paths. A save holds its file's row as well, before the rows of its DAGs. */
const lockMissing = `
select bundle_name as "bundleName", filename as "relativePath" from dag_file f
 where missing_since is not null and (bundle_name = $1 or ${IS_ABANDONED})
   and (missing_since <= now() - make_interval(secs => $2) or bundle_name = $1 and filename = any($3))
 order by bundle_name, filename for update`;

const IS_ONE_OF = "(bundle_name, filename) in (select * from unnest($1::text[], $2::text[]))";
const makeStale = `
with theirs as (select dag_id from dag where ${IS_ONE_OF} and not is_stale order by dag_id for no key update)
update dag set is_stale = true where dag_id in (select dag_id from theirs)`;

export type DagFileKey = { bundleName: string; relativePath: string };

/**
 * Forgets files that have been missing for that long, and missing files whose deletion was seen, with their errors, and makes
 * their DAGs stale. Call after `markMissingFiles`. Returns them.
 */
export async function forgetMissingFiles(
  tx: Db,
  bundleName: string,
  missing: { forSec: number; gone: readonly string[] },
): Promise<DagFileKey[]> {
  const { rows } = await tx.query<DagFileKey>(lockMissing, [bundleName, missing.forSec, missing.gone]);
  if (rows.length === 0) return [];
  const files = [rows.map((row) => row.bundleName), rows.map((row) => row.relativePath)];
  await tx.query(makeStale, files);
  await tx.query(`delete from import_error where ${IS_ONE_OF}`, files);
  await tx.query(`delete from dag_file where ${IS_ONE_OF}`, files);
  return rows;
}

/** $1 processor, $2 bundle, $3 build. */
const toLoad = {
  name: "dag-files-to-load",
  text: `
select l.filename from (select unnest(files) as filename from dag_file_listing where processor_id = $1 and bundle_name = $2) l
  left join dag_file f on f.bundle_name = $2 and f.filename = l.filename
 where f.filename is null or f.build < $3::int[] or not ${IS_INTACT}
    or exists (select 1 from unnest(f.waits_for) w (dag_id)
                where not exists (select 1 from dag where dag.dag_id = w.dag_id and (dag.bundle_name, dag.filename) <> (f.bundle_name, f.filename) and ${IS_KEPT}))
 order by l.filename`,
};

/**
 * Files of the processor's listing whose stored state is not as this build would have left it, or whose wait for a DAG is over.
 */
export async function findFilesToLoad(
  db: Db,
  processorId: string,
  bundleName: string,
  build: readonly number[],
): Promise<string[]> {
  return (await db.query<{ filename: string }>(toLoad, [processorId, bundleName, build])).rows.map((row) => row.filename);
}
