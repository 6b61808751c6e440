import type { Db } from "../../store.ts";
import { type Listed, oneOf, type Page, readPage, send, sql } from "../compose.ts";

export type DagVersionRow = {
  id: string;
  dagId: string;
  dagDisplayName: string;
  versionNumber: number;
  bundleName: string | null;
  createdAt: Date;
};

const columns = sql`v.id, v.dag_id as "dagId", coalesce(d.display_name, v.dag_id) as "dagDisplayName", v.version_number as "versionNumber",
  d.bundle_name as "bundleName", v.created_at as "createdAt"`;
const from = sql`dag_version v left join dag d on d.dag_id = v.dag_id`;
const orderable = {
  id: sql`v.id`,
  version_number: sql`v.version_number`,
  created_at: sql`v.created_at`,
  dag_id: sql`v.dag_id`,
  bundle_name: sql`d.bundle_name`,
};
export type VersionOrderKey = keyof typeof orderable;
export const VERSION_ORDER_KEYS = Object.keys(orderable) as VersionOrderKey[];

export async function listVersions(
  db: Db,
  filter: { dagId: string | null; versionNumber?: number; bundleName?: string },
  page: Page<VersionOrderKey>,
): Promise<Listed<DagVersionRow>> {
  const where = filter.dagId === null ? [] : [sql`v.dag_id = ${filter.dagId}`];
  if (filter.versionNumber !== undefined) where.push(sql`v.version_number = ${filter.versionNumber}`);
  if (filter.bundleName !== undefined) where.push(...oneOf(sql`d.bundle_name`, [filter.bundleName]));
  return readPage<DagVersionRow, VersionOrderKey>(db, { columns, from, where, page, orderable, tieBreak: [sql`v.id`] });
}

export async function findVersionRow(db: Db, versionId: string): Promise<DagVersionRow | null> {
  return (await send<DagVersionRow>(db, sql`select ${columns} from ${from} where v.id = ${versionId}`))[0] ?? null;
}

export type DagSourceRow = { versionNumber: number; moduleHash: string; source: string | null };

/**
 * The newest version, or the one with that number. `source` is the file's text if the file's last good load is exactly that
 * version; older versions have only their module.
 */
export async function findDagSource(db: Db, dagId: string, versionNumber: number | null): Promise<DagSourceRow | null> {
  const { rows } = await db.query<DagSourceRow>(
    `select v.version_number as "versionNumber", v.module_hash as "moduleHash", f.source
       from dag_version v join dag d on d.dag_id = v.dag_id
       left join dag_file f on f.bundle_name = d.bundle_name and f.filename = d.filename and f.module_hash = v.module_hash
      where v.dag_id = $1 and ($2::int is null or v.version_number = $2) order by v.version_number desc limit 1`,
    [dagId, versionNumber],
  );
  return rows[0] ?? null;
}
