/** Finds, for each pool, who is first in line of those that take several slots. Tasks that take one slot are not in it. */
export const wideTasks = {
  version: 12,
  name: "wide-tasks",
  breaking: false,
  sql: `
create index ti_scheduled_wide on task_instance (pool, priority_weight desc, scheduled_dttm, dag_run_id, task_id, map_index)
  where state = 'scheduled' and pool_slots > 1;
`,
};
