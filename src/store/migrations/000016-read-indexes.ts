/** What each of them serves, and what it costs: ADR 0032. Built beside the work that goes on. */
export const readIndexes = {
  version: 16,
  name: "read-indexes",
  breaking: false,
  online: true,
  sql: `
create index concurrently ti_start_date on task_instance (start_date, dag_run_id, task_id, map_index) include (dag_id)
  where start_date is not null;
create index concurrently ti_end_date on task_instance (end_date, dag_run_id, task_id, map_index) include (dag_id)
  where end_date is not null;
create index concurrently ti_operator on task_instance (operator, queue, pool, executor);
create index concurrently ti_ended_badly on task_instance (state, start_date, dag_run_id, task_id, map_index) include (dag_id) where state in ('failed', 'skipped', 'upstream_failed', 'removed');
create index concurrently ti_without_state on task_instance (dag_run_id) where state is null;
create index concurrently ti_retried on task_instance (try_number, dag_run_id) where try_number > 1;
create index concurrently ti_scheduled_by_pool on task_instance (dag_run_id, pool, priority_weight desc, scheduled_dttm, task_id, map_index)
  include (pool_slots, executor, dag_id) where state = 'scheduled';
drop index concurrently ti_scheduled;
create index concurrently xcom_timestamp on xcom ("timestamp");
create index concurrently log_event on log (event, dttm)`,
} as const;
