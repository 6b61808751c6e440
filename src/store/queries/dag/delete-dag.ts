import type { Db } from "../../store.ts";

/** Locks the DAG's row until the transaction ends; false = there is no such DAG. */
export async function lockDag(tx: Db, dagId: string): Promise<boolean> {
  return (await tx.query({ name: "lock-dag", text: "select 1 from dag where dag_id = $1 for update" }, [dagId])).rowCount === 1;
}

export async function countRunning(tx: Db, dagId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    "select count(*)::int as count from task_instance where dag_id = $1 and state in ('queued', 'running', 'restarting')",
    [dagId],
  );
  return rows[0]?.count ?? 0;
}

/**
 * Deletes the DAG with its runs and versions. The record of its file stays and says that the file defines the DAG: if the file still
 * exists, the next scan of a dag-processor loads it and creates the DAG again, as in Airflow.
 */
export async function deleteDag(tx: Db, dagId: string): Promise<void> {
  await tx.query("delete from dag_run where dag_id = $1", [dagId]);
  await tx.query("delete from dag where dag_id = $1", [dagId]);
}
