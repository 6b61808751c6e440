import type { Db } from "../../store.ts";

/** `event`: encrypted JSON; `failure`: why the task is to fail instead. One of them is set. */
export type Firing = { triggerId: number; event: Buffer | null; failure: string | null };

/**
 * $1 trigger ids, $2 events, $3 failures. deferred → scheduled, under the id the deferral has given, and with the same number.
 *
 * Guarded by the trigger: its row is deleted when the state changes, so an event that arrives twice, or after the task was cleared,
 * marked or timed out, finds nothing. It does not matter which triggerer sends it.
 */
const statement = {
  name: "fire-triggers",
  text: `
with fired as materialized (
  select ti.dag_run_id, ti.task_id, ti.map_index, f.*
    from task_instance ti join unnest($1::bigint[], $2::bytea[], $3::text[]) as f(trigger_id, event, failure) on f.trigger_id = ti.trigger_id
   where ti.state = 'deferred'
   order by ti.id
   for update of ti
), resumed as (
  update task_instance ti
     set state = 'scheduled', scheduled_dttm = now(), end_date = null, duration = null, queue_attempts = 0, updated_at = now(),
         next_event = f.event, next_failure = f.failure,
         next_method = case when f.failure is null then ti.next_method else '__fail__' end
    from fired f
   where ti.dag_run_id = f.dag_run_id and ti.task_id = f.task_id and ti.map_index = f.map_index
  returning f.trigger_id
), told as materialized (select pg_notify('baram_scheduler', 'scheduled') from (select 1 from resumed limit 1) one)
select trigger_id as id, (select count(*) from told) as told from resumed`,
};

/** Returns the ids of the triggers whose tasks resume; for the others no task was waiting any more. */
export async function fireTriggers(db: Db, firings: readonly Firing[]): Promise<number[]> {
  const { rows } = await db.query<{ id: number }>(statement, [
    firings.map((one) => one.triggerId),
    firings.map((one) => one.event),
    firings.map((one) => one.failure),
  ]);
  return rows.map((row) => row.id);
}
