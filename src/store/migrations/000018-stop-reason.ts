/**
 * Who or what ended a try: the user who cleared or marked it, the limit of its run, or the task whose failure stopped the run. The
 * worker receives it with the answer that the try is no longer assigned to it, and writes it to the try's log. Null for a try that ended
 * by itself.
 */
export const stopReason = {
  version: 18,
  name: "stop-reason",
  breaking: false,
  sql: `
alter table task_instance add column stop_reason text;
alter table task_instance_history add column stop_reason text`,
};
