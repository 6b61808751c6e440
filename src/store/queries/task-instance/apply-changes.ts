import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type StateChange = {
  dagRunId: number;
  taskId: string;
  mapIndex: number;
  from: TaskInstanceState | null;
  to: TaskInstanceState;
};

/**
 * $1 dag run ids, $2 task ids, $3 map indexes, $4 from, $5 to. Guarded by the state it leaves. A new try increments the number; a
 * rescheduled poke continues its try. An instance that ends without running (skipped …) starts and ends now. Locked in no order: in
 * the states that are left, only the holder of the run's lock changes an instance. The inner select of $1 makes the array's length
 * opaque, so that the generic plan is kept.
 */
const statement = {
  name: "apply-changes",
  text: `
update task_instance ti
   set state = c.to_state,
       try_number = ti.try_number + case when c.to_state in ('scheduled', 'success') and c.from_state is distinct from 'up_for_reschedule' then 1 else 0 end,
       scheduled_dttm = case when c.to_state = 'scheduled' then now() else ti.scheduled_dttm end,
       start_date = case when c.to_state = 'scheduled' then ti.start_date else now() end,
       end_date = case when c.to_state = 'scheduled' then null else now() end,
       duration = case when c.to_state = 'scheduled' then null else 0 end,
       next_attempt_at = null, queue_attempts = 0, updated_at = now()
  from unnest((select $1::bigint[]), $2::text[], $3::int[], $4::text[], $5::text[]) as c(dag_run_id, task_id, map_index, from_state, to_state)
 where ti.dag_run_id = c.dag_run_id and ti.task_id = c.task_id and ti.map_index = c.map_index
   and ti.state is not distinct from c.from_state`,
};

/** Writes the changes and returns how many still applied: fewer than given means that another writer was faster. */
export async function applyChanges(tx: Db, changes: readonly StateChange[]): Promise<number> {
  const { rowCount } = await tx.query(statement, [
    changes.map((c) => c.dagRunId),
    changes.map((c) => c.taskId),
    changes.map((c) => c.mapIndex),
    changes.map((c) => c.from),
    changes.map((c) => c.to),
  ]);
  return rowCount;
}
