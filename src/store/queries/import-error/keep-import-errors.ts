import type { Db } from "../../store.ts";

export type NewImportError = {
  bundleName: string;
  relativePath: string;
  kind: string;
  file: string;
  line: number | null;
  column: number | null;
  message: string;
  stacktrace: string;
};

const save = `
insert into import_error (bundle_name, filename, kind, file, line, "column", message, stacktrace) values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (bundle_name, filename) do update
  set "timestamp" = now(), kind = excluded.kind, file = excluded.file, line = excluded.line, "column" = excluded."column",
      message = excluded.message, stacktrace = excluded.stacktrace`;

/** PostgreSQL's text holds no NUL; a file's message may. */
const clean = (text: string) => text.replaceAll("\0", "\\0");

export async function saveImportError(db: Db, e: NewImportError): Promise<void> {
  await db.query(save, [e.bundleName, e.relativePath, e.kind, e.file, e.line, e.column, clean(e.message), clean(e.stacktrace)]);
}

export async function clearImportError(db: Db, bundleName: string, relativePath: string): Promise<void> {
  await db.query("delete from import_error where bundle_name = $1 and filename = $2", [bundleName, relativePath]);
}

export type ImportErrorRow = {
  id: number;
  timestamp: Date;
  bundleName: string;
  filename: string;
  kind: string;
  file: string;
  line: number | null;
  column: number | null;
  message: string;
  stacktrace: string;
};

export async function allImportErrors(db: Db): Promise<ImportErrorRow[]> {
  const { rows } = await db.query<ImportErrorRow>(
    `select id, "timestamp", bundle_name as "bundleName", filename, kind, file, line, "column", message, stacktrace from import_error order by bundle_name, filename`,
  );
  return rows;
}
