import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type StoppedInstance = { taskId: string; mapIndex: number; state: Extract<TaskInstanceState, "failed" | "skipped"> };

/**
 * $1 dag run, $2 task ids that are spared, $3 states that become failed; all other unfinished ones become skipped, $4 why. A
 * running try is not waited for: it is refused at its next heartbeat and stops.
 */
const statement = {
  name: "stop-remaining",
  text: `
with old as materialized (
  select dag_run_id, task_id, map_index, case when state = any($3) then 'failed' else 'skipped' end as to_state
    from task_instance
   where dag_run_id = $1 and task_id <> all($2)
     and (state is null or state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed'))
   order by id for update
), stopped as (
  update task_instance ti
     set state = old.to_state, start_date = coalesce(ti.start_date, now()), end_date = now(),
         duration = extract(epoch from now() - coalesce(ti.first_start_date, ti.start_date, now())),
         next_attempt_at = null, reschedule_count = 0, stop_reason = $4::text, updated_at = now()
    from old where ti.dag_run_id = old.dag_run_id and ti.task_id = old.task_id and ti.map_index = old.map_index
  returning ti.dag_run_id, ti.task_id, ti.map_index, ti.state
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state) select dag_run_id, task_id, map_index, state from stopped
), told as materialized (select pg_notify('baram_scheduler', 'event') from (select 1 from stopped limit 1) one)
select task_id as "taskId", map_index as "mapIndex", state, (select count(*) from told) as told from stopped`,
};

/** Call under the run's lock. `why`: see `stop_reason`. */
export async function stopRemaining(
  tx: Db,
  dagRunId: number,
  spared: readonly string[],
  failing: readonly TaskInstanceState[],
  why: string,
): Promise<StoppedInstance[]> {
  return (await tx.query<StoppedInstance>(statement, [dagRunId, spared, failing, why])).rows;
}
