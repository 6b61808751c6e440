import type { Db } from "../../store.ts";

const statement = { name: "hold-try", text: "select 1 from task_instance where id = $1 and state = 'running' for share" };

/** Keeps the try from ending until the transaction does. false = it does not run any more. */
export async function holdTry(tx: Db, id: string): Promise<boolean> {
  return (await tx.query(statement, [id])).rowCount === 1;
}
