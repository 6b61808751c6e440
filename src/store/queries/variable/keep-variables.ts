import type { Cipher } from "../../cipher.ts";
import type { Db } from "../../store.ts";

export type Variable = { key: string; value: string; description: string | null };
type VariableRow = { key: string; val: Buffer; description: string | null };

export async function findVariable(db: Db, cipher: Cipher, key: string): Promise<Variable | null> {
  const { rows } = await db.query<VariableRow>(
    { name: "find-variable", text: "select key, val, description from variable where key = $1" },
    [key],
  );
  return rows[0] ? { key: rows[0].key, value: cipher.decrypt(rows[0].val), description: rows[0].description } : null;
}

export async function allVariables(db: Db, cipher: Cipher): Promise<Variable[]> {
  const { rows } = await db.query<VariableRow>("select key, val, description from variable order by key");
  return rows.map((row) => ({ key: row.key, value: cipher.decrypt(row.val), description: row.description }));
}

/** Creates or overwrites; a null description keeps the one that is there. */
export async function setVariable(db: Db, cipher: Cipher, variable: Variable): Promise<void> {
  await db.query(
    `insert into variable (key, val, description) values ($1, $2, $3)
     on conflict (key) do update set val = excluded.val, description = coalesce(excluded.description, variable.description)`,
    [variable.key, cipher.encrypt(variable.value), variable.description],
  );
}

export async function deleteVariable(db: Db, key: string): Promise<boolean> {
  return (await db.query("delete from variable where key = $1", [key])).rowCount === 1;
}
