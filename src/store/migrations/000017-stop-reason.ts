/**
 * Why somebody other than the task ended a try: who cleared or marked it, the limit of its run, the task whose failure stopped the run.
 * Its worker asks for it when it hears that the try was taken away, and writes it to the try's log. Null for a try that ended by itself.
 */
export const stopReason = {
  version: 17,
  name: "stop-reason",
  breaking: false,
  sql: `
alter table task_instance add column stop_reason text;
alter table task_instance_history add column stop_reason text`,
};
