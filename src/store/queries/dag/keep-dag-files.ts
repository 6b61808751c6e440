import type { Db } from "../../store.ts";

export type DagFileRow = {
  bundleName: string;
  relativePath: string;
  inputsHash: string;
  inputs: string[];
  dagIds: string[];
  hasImportError: boolean;
};

const known = `
select f.bundle_name as "bundleName", f.filename as "relativePath", f.inputs_hash as "inputsHash", f.inputs,
       coalesce((select array_agg(d.dag_id order by d.dag_id) from dag d
                  where d.bundle_name = f.bundle_name and d.filename = f.filename and not d.is_stale), '{}') as "dagIds",
       exists (select 1 from import_error e where e.bundle_name = f.bundle_name and e.filename = f.filename) as "hasImportError"
  from dag_file f where f.bundle_name = any($1)`;

export async function findDagFiles(db: Db, bundleNames: readonly string[]): Promise<DagFileRow[]> {
  return (await db.query<DagFileRow>(known, [bundleNames])).rows;
}

export type SavedFile = {
  bundleName: string;
  relativePath: string;
  inputsHash: string;
  inputs: readonly string[];
  moduleHash: string | null;
  source: string | null;
};

const save = `
insert into dag_file (bundle_name, filename, inputs_hash, inputs, module_hash, source) values ($1, $2, $3, $4, $5, $6)
on conflict (bundle_name, filename) do update
  set inputs_hash = excluded.inputs_hash, inputs = excluded.inputs, parsed_at = now(),
      module_hash = coalesce(excluded.module_hash, dag_file.module_hash), source = coalesce(excluded.source, dag_file.source)`;

/** Records how the file was last read; null module and source keep those of the last good version. */
export async function saveDagFile(db: Db, file: SavedFile): Promise<void> {
  await db.query(save, [file.bundleName, file.relativePath, file.inputsHash, file.inputs, file.moduleHash, file.source]);
}

/** Forgets the bundle's files that are not present any more, with their errors, and makes their DAGs stale. */
export async function forgetMissingFiles(tx: Db, bundleName: string, present: readonly string[]): Promise<void> {
  await tx.query("update dag set is_stale = true where bundle_name = $1 and filename <> all($2) and not is_stale", [
    bundleName,
    present,
  ]);
  await tx.query("delete from import_error where bundle_name = $1 and filename <> all($2)", [bundleName, present]);
  await tx.query("delete from dag_file where bundle_name = $1 and filename <> all($2)", [bundleName, present]);
}
