/**
 * How many task instances each run has, so that a list can say its total, and find the run in which an offset falls, by reading runs and not
 * instances. Kept by triggers, since several statements make and remove instances, and an older Baram's do too; none of them is on the way of a try, and
 * all hold the run's lock or have just made the run. Filling the column locks out writes to task_instance: 1.2 s for a million instances.
 *
 * Each foreign key has an index now, or is gone: deleting a DAG looked for its versions in all task instances, once for each version. An index on
 * task_instance would be written with each step of each try. A version goes only with its DAG, whose runs, and so their instances, go before it and
 * do have foreign keys; queued_by_job_id names a job without one, as in Airflow: whoever reads it asks whether the job is there.
 */
export const instanceCount = {
  version: 15,
  name: "instance-count",
  breaking: false,
  sql: `
alter table task_instance drop constraint task_instance_queued_by_job_id_fkey;
alter table task_instance drop constraint task_instance_dag_version_id_fkey;
alter table callback_request drop constraint callback_request_queued_by_job_id_fkey;
create index callback_request_dag_run on callback_request (dag_run_id);
create index dag_file_module on dag_file (module_hash);
create index dag_run_created_version on dag_run (created_dag_version_id);
create index dag_version_module on dag_version (module_hash);

alter table dag_run add column instance_count int not null default 0;

create or replace function count_added_instances() returns trigger language plpgsql as $$
begin
  update dag_run r set instance_count = r.instance_count + c.count
    from (select dag_run_id, count(*)::int as count from added group by dag_run_id) c where r.id = c.dag_run_id;
  return null;
end $$;
create or replace function count_removed_instances() returns trigger language plpgsql as $$
begin
  update dag_run r set instance_count = r.instance_count - c.count
    from (select dag_run_id, count(*)::int as count from removed group by dag_run_id) c where r.id = c.dag_run_id;
  return null;
end $$;
create trigger count_added_instances after insert on task_instance referencing new table as added
  for each statement execute function count_added_instances();
create trigger count_removed_instances after delete on task_instance referencing old table as removed
  for each statement execute function count_removed_instances();
update dag_run r set instance_count = c.count
  from (select dag_run_id, count(*)::int as count from task_instance group by dag_run_id) c where r.id = c.dag_run_id;
`,
};
