import type { Db } from "../../store.ts";
import { IS_INTACT } from "./dag-ownership.ts";

export type DagFileRow = {
  bundleName: string;
  relativePath: string;
  inputsHash: string;
  inputs: string[];
  dagIds: string[];
  hasImportError: boolean;
  build: number[];
};

const known = `
select f.bundle_name as "bundleName", f.filename as "relativePath", f.inputs_hash as "inputsHash", f.inputs, f.build,
       coalesce((select array_agg(d.dag_id order by d.dag_id) from dag d
                  where d.bundle_name = f.bundle_name and d.filename = f.filename and not d.is_stale), '{}') as "dagIds",
       exists (select 1 from import_error e where e.bundle_name = f.bundle_name and e.filename = f.filename) as "hasImportError"
  from dag_file f where f.bundle_name = any($1) and f.inputs <> '{}'`;

export async function findDagFiles(db: Db, bundleNames: readonly string[]): Promise<DagFileRow[]> {
  return (await db.query<DagFileRow>(known, [bundleNames])).rows;
}

export type SavedFile = {
  bundleName: string;
  relativePath: string;
  inputsHash: string;
  inputs: readonly string[];
  build: readonly number[];
  /** Also overwrites the result of a newer build. */
  isForced: boolean;
  /** null: the load failed, and the results of the last good one are kept. */
  good: { moduleHash: string; source: string; dagIds: readonly string[] } | null;
  waitsFor: readonly string[];
};

/** $10 false: the result of a newer build for the same inputs is kept if it is complete. */
const save = `
insert into dag_file as f (bundle_name, filename, inputs_hash, inputs, build, has_failed, module_hash, source, dag_ids, waits_for)
values ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9::text[], '{}'), $11)
on conflict (bundle_name, filename) do update
  set inputs_hash = excluded.inputs_hash, inputs = excluded.inputs, build = excluded.build, has_failed = excluded.has_failed, parsed_at = now(),
      module_hash = coalesce(excluded.module_hash, f.module_hash), source = coalesce(excluded.source, f.source),
      dag_ids = coalesce($9::text[], f.dag_ids), waits_for = excluded.waits_for, missing_since = null
  where $10 or not (f.build > excluded.build and f.inputs_hash = excluded.inputs_hash and f.inputs_hash <> '' and ${IS_INTACT})`;

/**
 * Records how the file was last read, and locks it against other saves until the transaction ends. false: a newer build has saved
 * the same inputs, and nothing was written.
 */
export async function saveDagFile(tx: Db, file: SavedFile): Promise<boolean> {
  const { good } = file;
  const { rowCount } = await tx.query(save, [
    file.bundleName,
    file.relativePath,
    file.inputsHash,
    file.inputs,
    file.build,
    good === null,
    good?.moduleHash ?? null,
    good?.source ?? null,
    good?.dagIds ?? null,
    file.isForced,
    file.waitsFor,
  ]);
  return rowCount === 1;
}
