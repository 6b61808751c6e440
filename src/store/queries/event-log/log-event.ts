import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type AuditEvent = {
  event: string;
  owner?: string | null;
  dagId?: string | null;
  runId?: string | null;
  taskId?: string | null;
  mapIndex?: number | null;
  tryNumber?: number | null;
  extra?: JsonObject | null;
};

const statement = {
  name: "log-event",
  text: "insert into log (event, owner, dag_id, run_id, task_id, map_index, try_number, extra) values ($1, $2, $3, $4, $5, $6, $7, $8)",
};

/** Adds a line to the audit log (Airflow's `log` table). */
export async function logEvent(db: Db, e: AuditEvent): Promise<void> {
  const extra = e.extra ? JSON.stringify(e.extra) : null;
  await db.query(statement, [
    e.event,
    e.owner ?? null,
    e.dagId ?? null,
    e.runId ?? null,
    e.taskId ?? null,
    e.mapIndex ?? null,
    e.tryNumber ?? null,
    extra,
  ]);
}
