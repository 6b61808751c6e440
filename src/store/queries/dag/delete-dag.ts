import type { Db } from "../../store.ts";

/** Locks the DAG's row until the transaction ends; null = there is none. */
export async function lockDag(tx: Db, dagId: string): Promise<{ bundleName: string; filename: string } | null> {
  const { rows } = await tx.query<{ bundleName: string; filename: string }>(
    { name: "lock-dag", text: `select bundle_name as "bundleName", filename from dag where dag_id = $1 for update` },
    [dagId],
  );
  return rows[0] ?? null;
}

export async function countRunning(tx: Db, dagId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    "select count(*)::int as count from task_instance where dag_id = $1 and state in ('queued', 'running', 'restarting')",
    [dagId],
  );
  return rows[0]?.count ?? 0;
}

/**
 * Deletes the DAG with its runs and versions, and the record of its file: if the file still exists, the dag-processor's next pass
 * creates the DAG again, as in Airflow.
 */
export async function deleteDag(tx: Db, dagId: string, file: { bundleName: string; filename: string }): Promise<void> {
  await tx.query("delete from dag_run where dag_id = $1", [dagId]);
  await tx.query("delete from dag where dag_id = $1", [dagId]);
  await tx.query("delete from dag_file where bundle_name = $1 and filename = $2", [file.bundleName, file.filename]);
}
