/** What schedulers set aside because it fails each time, and how a scheduler that lives but gets nothing done says so. */
export const setAside = {
  version: 14,
  name: "set-aside",
  breaking: false,
  sql: `
-- A row stands for one run, schedule, backfill, try or callback with which a step of the scheduler failed by itself.
create table set_aside (
  kind text not null check (kind in ('run', 'schedule', 'backfill', 'try', 'callback')),
  -- the run's, backfill's, try's or callback's id; the DAG's id of a schedule
  subject text not null,
  dag_id text not null references dag (dag_id) on delete cascade,
  dag_run_id bigint references dag_run (id) on delete cascade,
  message text not null,
  attempts int not null default 1,
  since timestamptz not null default now(),
  try_at timestamptz not null,
  primary key (kind, subject)
) with (fillfactor = 70);
create index set_aside_dag on set_aside (dag_id);
create index set_aside_dag_run on set_aside (dag_run_id);

-- Since when no pass of this scheduler came to its end, and why; null while they do.
alter table job add column failing_since timestamptz;
alter table job add column failure text;
`,
};
