import type { Db } from "../../store.ts";

const statement = { name: "hold-try", text: "select 1 from task_instance where id = $1 and state = 'running' for share" };

/** Locks the try so that it cannot finish before the transaction does. false = it is not running any more. */
export async function holdTry(tx: Db, id: string): Promise<boolean> {
  return (await tx.query(statement, [id])).rowCount === 1;
}
