/** The runs that custom timetables are planned ahead; the scheduler takes them from here and never asks their code. */
export const plannedRuns = {
  version: 4,
  name: "planned-runs",
  breaking: false,
  sql: `
create table timetable_plan (
  dag_id text primary key references dag (dag_id) on delete cascade,
  -- the timetable is asked again once this has come
  refresh_at timestamptz not null,
  -- whether "come" is meant by the clock, or by the DAG's next run, which may be far behind it
  by_clock boolean not null
);

create table planned_run (
  dag_id text not null references dag (dag_id) on delete cascade,
  logical_date timestamptz not null,
  data_interval_start timestamptz not null,
  data_interval_end timestamptz not null,
  run_after timestamptz not null,
  -- of a run triggered by hand from run_after on; null = the timetable does not say
  manual_interval_start timestamptz,
  manual_interval_end timestamptz,
  primary key (dag_id, logical_date)
);
`,
};
