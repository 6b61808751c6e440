import type { SerializedDag } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type DagFacts = {
  dagId: string;
  isPaused: boolean;
  isStale: boolean;
  versionId: string | null;
  filename: string;
  nextDagrunCreateAfter: Date | null;
};

const one = {
  name: "find-dag",
  text: `select dag_id as "dagId", is_paused as "isPaused", is_stale as "isStale", current_version_id as "versionId", filename,
           next_dagrun_create_after as "nextDagrunCreateAfter" from dag where dag_id = $1`,
};

export async function findDag(db: Db, dagId: string): Promise<DagFacts | null> {
  return (await db.query<DagFacts>(one, [dagId])).rows[0] ?? null;
}

export type VersionRow = { versionId: string; dagId: string; versionNumber: number; moduleHash: string; data: SerializedDag };

const version = {
  name: "find-version",
  text: `select v.id as "versionId", v.dag_id as "dagId", v.version_number as "versionNumber", v.module_hash as "moduleHash", s.data
           from dag_version v join serialized_dag s on s.dag_version_id = v.id where v.id = $1`,
};

/** `data` is as stored: validate it before use. */
export async function findVersion(db: Db, versionId: string): Promise<VersionRow | null> {
  return (await db.query<VersionRow>(version, [versionId])).rows[0] ?? null;
}

export type ModuleRow = { hash: string; code: Buffer; externals: string[] };

const module = { name: "find-module", text: "select hash, code, externals from dag_module where hash = $1" };

export async function findModule(db: Db, hash: string): Promise<ModuleRow | null> {
  return (await db.query<ModuleRow>(module, [hash])).rows[0] ?? null;
}
