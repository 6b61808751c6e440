/** The first schema. Tables and columns carry Airflow's names where the thing is the same. */
export const initial = {
  version: 1,
  name: "initial",
  breaking: true,
  sql: `
create table dag_module (
  hash text primary key,
  -- gzip of the module's text
  code bytea not null,
  externals text[] not null,
  created_at timestamptz not null default now()
);

create table dag_file (
  bundle_name text not null,
  filename text not null,
  inputs_hash text not null,
  inputs text[] not null default '{}',
  -- the last good version's module and text
  module_hash text references dag_module (hash),
  source text,
  parsed_at timestamptz not null default now(),
  primary key (bundle_name, filename)
);

create table import_error (
  id bigint generated always as identity primary key,
  "timestamp" timestamptz not null default now(),
  bundle_name text not null,
  filename text not null,
  kind text not null,
  -- where in which file; the file may be a helper's
  file text not null,
  line int,
  "column" int,
  message text not null,
  stacktrace text not null default '',
  unique (bundle_name, filename)
);

create table dag (
  dag_id text primary key,
  display_name text,
  description text,
  bundle_name text not null,
  filename text not null,
  tags text[] not null default '{}',
  owners text[] not null default '{}',
  is_paused boolean not null,
  is_stale boolean not null default false,
  timetable_summary text,
  timetable_type text not null,
  max_active_runs int not null,
  max_active_tasks int not null,
  max_consecutive_failed_dag_runs int not null default 0,
  current_version_id uuid,
  -- hash of everything that decides when the next run is due
  schedule_hash text not null,
  next_dagrun timestamptz,
  next_dagrun_data_interval_start timestamptz,
  next_dagrun_data_interval_end timestamptz,
  next_dagrun_create_after timestamptz,
  last_parsed_time timestamptz not null default now()
);
create index dag_due on dag (next_dagrun_create_after) where not is_paused and not is_stale and next_dagrun_create_after is not null;
create index dag_filename on dag (bundle_name, filename);

create table dag_version (
  id uuid primary key default gen_random_uuid(),
  dag_id text not null references dag (dag_id) on delete cascade,
  version_number int not null,
  dag_hash text not null,
  module_hash text not null references dag_module (hash),
  created_at timestamptz not null default now(),
  unique (dag_id, version_number)
);

create table serialized_dag (
  dag_version_id uuid primary key references dag_version (id) on delete cascade,
  dag_id text not null,
  data json not null
);

create table slot_pool (
  pool text primary key,
  slots int not null check (slots >= -1),
  description text,
  include_deferred boolean not null default false
);

create table job (
  id bigint generated always as identity primary key,
  job_type text not null,
  state text not null default 'running',
  hostname text not null,
  pid int not null,
  start_date timestamptz not null default now(),
  end_date timestamptz,
  latest_heartbeat timestamptz not null default now()
) with (fillfactor = 70);
create index job_running on job (job_type) where state = 'running';

create table dag_run (
  id bigint generated always as identity primary key,
  dag_id text not null references dag (dag_id) on delete cascade,
  run_id text not null,
  logical_date timestamptz,
  data_interval_start timestamptz,
  data_interval_end timestamptz,
  run_after timestamptz not null,
  run_type text not null,
  triggered_by text,
  triggering_user_name text,
  state text not null default 'queued',
  conf json not null default '{}',
  note text,
  clear_number int not null default 0,
  created_dag_version_id uuid references dag_version (id),
  queued_at timestamptz not null default now(),
  start_date timestamptz,
  end_date timestamptz,
  last_scheduling_decision timestamptz,
  -- counts every evaluation: a scheduler's remembered picture of the run is good only while this stands still
  evaluation bigint not null default 0,
  -- earliest moment at which the run must be looked at although nothing happened (time-out, safety net)
  next_scan_at timestamptz,
  timeout_sec double precision,
  timeout_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (dag_id, run_id),
  unique (dag_id, logical_date)
) with (fillfactor = 80);
create index dag_run_unfinished on dag_run (state, dag_id) where state in ('queued', 'running');
create index dag_run_scan on dag_run (next_scan_at) where state = 'running';
create index dag_run_run_after on dag_run (run_after);

create table task_instance (
  -- the try's own id: every try gets a new one, so that it is the fencing token of all the try's writes
  id uuid not null default gen_random_uuid() unique,
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  dag_id text not null,
  run_id text not null,
  task_id text not null,
  map_index int not null default -1,
  dag_version_id uuid not null references dag_version (id),
  state text,
  try_number int not null default 0,
  max_tries int not null,
  -- the task's own retries: a clear adds them to the tries already used
  retries int not null,
  operator text not null,
  pool text not null,
  pool_slots int not null,
  queue text not null,
  executor text not null,
  priority_weight int not null,
  max_active_tis_per_dag int,
  max_active_tis_per_dagrun int,
  scheduled_dttm timestamptz,
  queued_dttm timestamptz,
  -- the scheduler that queued the try
  queued_by_job_id bigint references job (id),
  -- how often this try was taken back from the queue because nobody started it
  queue_attempts int not null default 0,
  start_date timestamptz,
  end_date timestamptz,
  duration double precision,
  -- when a retry or a rescheduled poke is due
  next_attempt_at timestamptz,
  reschedule_count int not null default 0,
  -- start of the try's first poke, kept over reschedules
  first_start_date timestamptz,
  hostname text,
  unixname text,
  pid int,
  last_heartbeat_at timestamptz,
  external_executor_id text,
  note text,
  updated_at timestamptz not null default now(),
  primary key (dag_run_id, task_id, map_index)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
create index ti_active on task_instance (dag_run_id) where state in ('queued', 'running', 'restarting');
create index ti_scheduled on task_instance (dag_run_id, priority_weight desc) where state = 'scheduled';
create index ti_due on task_instance (next_attempt_at) where state in ('up_for_retry', 'up_for_reschedule');
create index ti_dag_task on task_instance (dag_id, task_id);

create table task_instance_history (
  id uuid primary key,
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  dag_id text not null,
  run_id text not null,
  task_id text not null,
  map_index int not null,
  try_number int not null,
  max_tries int not null,
  state text,
  -- why the try ended: what the task said, or what the platform found
  reason text,
  operator text not null,
  pool text not null,
  pool_slots int not null,
  queue text not null,
  executor text not null,
  priority_weight int not null,
  dag_version_id uuid not null,
  scheduled_dttm timestamptz,
  queued_dttm timestamptz,
  start_date timestamptz,
  end_date timestamptz,
  duration double precision,
  hostname text,
  unixname text,
  pid int
);
create index task_instance_history_ti on task_instance_history (dag_run_id, task_id, map_index, try_number);

-- The outbox: the transaction that changes a task instance leaves a line here; the scheduler that holds the run consumes it.
create table task_event (
  id bigint generated always as identity,
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  -- null = look at the whole run
  task_id text,
  map_index int not null default -1,
  state text,
  primary key (dag_run_id, id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

create table xcom (
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  task_id text not null,
  map_index int not null default -1,
  key text not null,
  value json not null,
  "timestamp" timestamptz not null default now(),
  primary key (dag_run_id, task_id, map_index, key)
);

create table rendered_task_instance_fields (
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  task_id text not null,
  map_index int not null default -1,
  fields json not null,
  primary key (dag_run_id, task_id, map_index)
);

create table callback_request (
  id uuid primary key default gen_random_uuid(),
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  data json not null,
  module_hash text not null,
  state text not null default 'scheduled',
  attempts int not null default 0,
  queued_by_job_id bigint references job (id),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index callback_request_open on callback_request (created_at) where state in ('scheduled', 'queued', 'running');

create table connection (
  conn_id text primary key,
  conn_type text not null,
  description text,
  host text,
  schema text,
  login text,
  port int,
  -- AES-256-GCM, never in the clear
  password bytea,
  extra bytea
);

create table variable (
  key text primary key,
  val bytea not null,
  description text
);

create table log (
  id bigint generated always as identity primary key,
  dttm timestamptz not null default now(),
  event text not null,
  owner text,
  dag_id text,
  run_id text,
  task_id text,
  map_index int,
  try_number int,
  extra json
);
create index log_dttm on log (dttm);
create index log_dag on log (dag_id, dttm);

create table app_user (
  username text primary key,
  password_hash text not null,
  role text not null,
  created_at timestamptz not null default now()
);
`,
};
