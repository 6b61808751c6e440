import type { Db } from "../../store.ts";
import { type Listed, matching, type Page, readPage, send, sql, startingWith } from "../compose.ts";
import type { ImportErrorRow } from "./keep-import-errors.ts";

const columns = sql`e.id, e."timestamp", e.bundle_name as "bundleName", e.filename, e.kind, e.file, e.line, e."column", e.message, e.stacktrace`;
const orderable = {
  import_error_id: sql`e.id`,
  id: sql`e.id`,
  timestamp: sql`e."timestamp"`,
  filename: sql`e.filename`,
  bundle_name: sql`e.bundle_name`,
  stack_trace: sql`e.stacktrace`,
};
export type ImportErrorOrderKey = keyof typeof orderable;
export const IMPORT_ERROR_ORDER_KEYS = Object.keys(orderable) as ImportErrorOrderKey[];

export type ImportErrorFilter = {
  filename?: string;
  bundleName?: string;
  filenamePattern?: string;
  filenamePrefix?: string;
};

export async function listImportErrors(
  db: Db,
  filter: ImportErrorFilter,
  page: Page<ImportErrorOrderKey>,
): Promise<Listed<ImportErrorRow>> {
  const where = [...matching(sql`e.filename`, filter.filenamePattern), ...startingWith(sql`e.filename`, filter.filenamePrefix)];
  if (filter.filename !== undefined) where.push(sql`e.filename = ${filter.filename}`);
  if (filter.bundleName !== undefined) where.push(sql`e.bundle_name = ${filter.bundleName}`);
  const from = sql`import_error e`;
  return readPage<ImportErrorRow, ImportErrorOrderKey>(db, { columns, from, where, page, orderable, tieBreak: [sql`e.id`] });
}

export async function findImportError(db: Db, id: number): Promise<ImportErrorRow | null> {
  return (await send<ImportErrorRow>(db, sql`select ${columns} from import_error e where e.id = ${id}`))[0] ?? null;
}
