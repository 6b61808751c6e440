/** Until now results of earlier tries went only when the next try started; what is left of them may never be read. */
export const oldResults = {
  version: 11,
  name: "old-results",
  breaking: false,
  sql: `
delete from xcom x using task_instance ti
 where ti.dag_run_id = x.dag_run_id and ti.task_id = x.task_id and ti.map_index = x.map_index
   and (ti.state is null or ti.state in ('upstream_failed', 'removed')
        or (ti.state in ('scheduled', 'queued') and ti.try_number > 1 and ti.reschedule_count = 0 and ti.next_method is null));
delete from task_map m using task_instance ti
 where ti.dag_run_id = m.dag_run_id and ti.task_id = m.task_id and ti.map_index = m.map_index
   and (ti.state is null or ti.state in ('upstream_failed', 'removed')
        or (ti.state in ('scheduled', 'queued') and ti.try_number > 1 and ti.reschedule_count = 0 and ti.next_method is null));
`,
};
