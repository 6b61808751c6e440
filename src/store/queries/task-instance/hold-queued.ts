import type { Db } from "../../store.ts";

export type HeldTry = {
  id: string;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  /** The try's log has its first lines already: the platform's, or those of its part before a deferral or reschedule. */
  isLogBegun: boolean;
};

/**
 * $1 ids. Notes that these queued tries and callbacks are not stuck, since their executor speaks for them, as a heartbeat does for a
 * running try. `is_noted` of start-tries.ts reads the same column.
 */
const statement = {
  name: "hold-queued",
  text: `
with held as materialized (
  select ti.id, ti.last_heartbeat_at > ti.scheduled_dttm or ti.reschedule_count > 0 or ti.next_method is not null as is_begun
    from task_instance ti where ti.id = any($1::uuid[]) and ti.state = 'queued' order by ti.id for no key update
), callbacks as (
  update callback_request c set updated_at = now() where c.id = any($1) and c.state = 'queued'
)
update task_instance ti set last_heartbeat_at = now() from held where ti.id = held.id
returning ti.id, ti.dag_id as "dagId", ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex",
          ti.try_number as "tryNumber", coalesce(held.is_begun, false) as "isLogBegun"`,
};

/** Returns the tries among them that are still queued. */
export async function holdQueued(db: Db, ids: readonly string[]): Promise<HeldTry[]> {
  return (await db.query<HeldTry>(statement, [ids])).rows;
}
