/** Teardowns that outlive a marked run, Lazarus, and the pools that DAGs name. */
export const runRecovery = {
  version: 6,
  name: "run-recovery",
  breaking: false,
  sql: `
-- success or failed: the run was ended by hand, and goes on only until its teardowns have run.
alter table dag_run add column ends_as text;
-- How often Lazarus put the run back on its way since its task instances last moved, and when.
alter table dag_run add column lazarus_attempts int not null default 0;
alter table dag_run add column lazarus_at timestamptz;

-- The pools that a DAG's current version names, with the most slots that one of its tasks asks for.
create table dag_pool (
  dag_id text not null references dag (dag_id) on delete cascade,
  pool text not null,
  pool_slots int not null,
  updated_at timestamptz not null default now(),
  primary key (dag_id, pool)
);
insert into dag_pool (dag_id, pool, pool_slots)
select d.dag_id, coalesce(t.task ->> 'pool', 'default_pool'), max(coalesce((t.task ->> 'poolSlots')::int, 1))
  from dag d join serialized_dag s on s.dag_version_id = d.current_version_id
  cross join lateral json_array_elements(case when json_typeof(s.data -> 'tasks') = 'array' then s.data -> 'tasks' else '[]' end) as t(task)
 group by 1, 2;
`,
};
