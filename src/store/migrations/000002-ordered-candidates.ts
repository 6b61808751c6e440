/**
 * The next candidates of a run are read in the order in which they are dispatched. With the priority alone in the index,
 * every look sorted all scheduled instances of the run anew: the cost of a fan-out grew with the square of its size.
 */
export const orderedCandidates = {
  version: 2,
  name: "ordered-candidates",
  breaking: false,
  sql: `
drop index ti_scheduled;
create index ti_scheduled on task_instance (dag_run_id, priority_weight desc, scheduled_dttm, task_id, map_index) where state = 'scheduled';
`,
};
