import type { Cipher } from "../../cipher.ts";
import type { Db } from "../../store.ts";
import { type Listed, matching, type Page, readPage, sql, startingWith } from "../compose.ts";
import type { Variable } from "./keep-variables.ts";

const orderable = { key: sql`v.key`, id: sql`v.key`, description: sql`v.description` };
export type VariableOrderKey = keyof typeof orderable;
export const VARIABLE_ORDER_KEYS = Object.keys(orderable) as VariableOrderKey[];

export async function listVariables(
  db: Db,
  cipher: Cipher,
  filter: { pattern?: string; prefix?: string },
  page: Page<VariableOrderKey>,
): Promise<Listed<Variable>> {
  const { rows, total } = await readPage<{ key: string; val: Buffer; description: string | null }, VariableOrderKey>(db, {
    columns: sql`v.key, v.val, v.description`,
    from: sql`variable v`,
    where: [...matching(sql`v.key`, filter.pattern), ...startingWith(sql`v.key`, filter.prefix)],
    page,
    orderable,
    tieBreak: [sql`v.key`],
  });
  return { rows: rows.map(({ key, val, description }) => ({ key, value: cipher.decrypt(val), description })), total };
}

/** Returns false if the key is taken; nothing was written then. */
export async function addVariable(db: Db, cipher: Cipher, variable: Variable): Promise<boolean> {
  const { rowCount } = await db.query(
    "insert into variable (key, val, description) values ($1, $2, $3) on conflict (key) do nothing",
    [variable.key, cipher.encrypt(variable.value), variable.description],
  );
  return rowCount === 1;
}

/** Overwrites a variable that exists, its description included. */
export async function replaceVariable(db: Db, cipher: Cipher, variable: Variable): Promise<boolean> {
  const { rowCount } = await db.query("update variable set val = $2, description = $3 where key = $1", [
    variable.key,
    cipher.encrypt(variable.value),
    variable.description,
  ]);
  return rowCount === 1;
}
