/** Backfills. Breaking: a scheduler that does not know them would start their runs under the DAG's maxActiveRuns. */
export const backfill = {
  version: 3,
  name: "backfill",
  breaking: true,
  sql: `
create table backfill (
  id bigint generated always as identity primary key,
  dag_id text not null references dag (dag_id) on delete cascade,
  from_date timestamptz not null,
  to_date timestamptz not null,
  -- null = existing runs that are processed again keep their own
  dag_run_conf json,
  is_paused boolean not null default false,
  reprocess_behavior text not null,
  max_active_runs int not null check (max_active_runs > 0),
  run_backwards boolean not null,
  run_on_latest_version boolean not null,
  triggering_user_name text,
  -- dates in all, and how many of them, in the order of sort_ordinal, were decided so far
  date_count int not null,
  filled_count int not null default 0,
  created_at timestamptz not null default now(),
  completed_at timestamptz,
  updated_at timestamptz not null default now()
);
-- One active backfill per DAG, however many are asked for at once.
create unique index backfill_active on backfill (dag_id) where completed_at is null;
create index backfill_dag on backfill (dag_id, id);

create table backfill_dag_run (
  backfill_id bigint not null references backfill (id) on delete cascade,
  -- from 1, in the order in which the runs are to start
  sort_ordinal int not null,
  -- null = not decided yet, no run for the reason below, or the run was deleted
  dag_run_id bigint references dag_run (id) on delete set null,
  exception_reason text,
  logical_date timestamptz not null,
  data_interval_start timestamptz not null,
  data_interval_end timestamptz not null,
  run_after timestamptz not null,
  primary key (backfill_id, sort_ordinal)
);
create index backfill_dag_run_run on backfill_dag_run (dag_run_id) where dag_run_id is not null;

-- Set while the run belongs to a backfill, under whose limit and in whose order it starts then.
alter table dag_run add column backfill_id bigint references backfill (id) on delete set null;
alter table dag_run add column backfill_ordinal int;
create index dag_run_backfill on dag_run (backfill_id, state, backfill_ordinal) where backfill_id is not null;
-- Thousands of queued runs of a backfill must cost nothing when a DAG's other runs are counted and started.
create index dag_run_unfinished_others on dag_run (state, dag_id) where state in ('queued', 'running') and backfill_id is null;
`,
};
