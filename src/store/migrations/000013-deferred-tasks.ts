/** How many instances of a task are deferred, for limits that count them. */
export const deferredTasks = {
  version: 13,
  name: "deferred-tasks",
  breaking: false,
  sql: `
create index ti_deferred_task on task_instance (dag_id, task_id) where state = 'deferred';
`,
};
