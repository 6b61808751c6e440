/**
 * The id of a try in its executor's outside system (an ECS task's ARN, a request id of Lambda) goes to the history with the try. And one
 * row for each `baram executors check` that is under way: the token of its probe is worth nothing without it.
 */
export const executorCheck = {
  version: 20,
  name: "executor-check",
  breaking: false,
  sql: `
alter table task_instance_history add column external_executor_id text;
create table executor_probe (
  id uuid primary key,
  executor text not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  hostname text,
  version text,
  -- Whether the API finds the probe's line in the log store; null = the worker has not said that it wrote it.
  has_log boolean,
  log_fault text
)`,
};
