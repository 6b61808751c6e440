import type { Db } from "../../src/store/index.ts";

/**
 * Triggers of the chaos rig, in a separate schema: every transition of a task instance, a run or a pool is recorded in its own
 * transaction, so a rollback removes the record. One sequence numbers all of them in the order of their statements. Because of
 * the row locks and the dispatch lock, this is the order of the commits wherever it matters.
 */
const RECORDER = `
create schema chaos;
create sequence chaos.seq;
create table chaos.transition (
  seq bigint not null default nextval('chaos.seq'), at timestamptz not null default clock_timestamp(), txid text not null default pg_current_xact_id()::text,
  dag_id text, run_id text, task_id text, map_index int, old_id uuid, new_id uuid, old_state text, new_state text, try_number int,
  pool text, pool_slots int, job_id bigint
);
create table chaos.run_transition (
  seq bigint not null default nextval('chaos.seq'), at timestamptz not null default clock_timestamp(),
  dag_id text, run_id text, old_state text, new_state text
);
create table chaos.pool_change (
  seq bigint not null default nextval('chaos.seq'), pool text, slots int, include_deferred boolean
);
create function chaos.note_instance() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    insert into chaos.transition (dag_id, run_id, task_id, map_index, old_id, new_id, old_state, new_state, try_number, pool, pool_slots, job_id)
      values (old.dag_id, old.run_id, old.task_id, old.map_index, old.id, null, old.state, null, old.try_number, old.pool, old.pool_slots, old.queued_by_job_id);
    return null;
  end if;
  if tg_op = 'INSERT' then
    insert into chaos.transition (dag_id, run_id, task_id, map_index, old_id, new_id, old_state, new_state, try_number, pool, pool_slots, job_id)
      values (new.dag_id, new.run_id, new.task_id, new.map_index, null, new.id, null, new.state, new.try_number, new.pool, new.pool_slots, new.queued_by_job_id);
    return null;
  end if;
  if old.state is distinct from new.state or old.id <> new.id or old.try_number <> new.try_number
     or old.queued_by_job_id is distinct from new.queued_by_job_id then
    insert into chaos.transition (dag_id, run_id, task_id, map_index, old_id, new_id, old_state, new_state, try_number, pool, pool_slots, job_id)
      values (new.dag_id, new.run_id, new.task_id, new.map_index, old.id, new.id, old.state, new.state, new.try_number, new.pool, new.pool_slots, new.queued_by_job_id);
  end if;
  return null;
end $$;
create trigger chaos_note after insert or delete or update of state, id, try_number, queued_by_job_id on task_instance
  for each row execute function chaos.note_instance();
create function chaos.note_run() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into chaos.run_transition (dag_id, run_id, old_state, new_state) values (new.dag_id, new.run_id, null, new.state);
  elsif tg_op = 'DELETE' then
    insert into chaos.run_transition (dag_id, run_id, old_state, new_state) values (old.dag_id, old.run_id, old.state, null);
  elsif old.state is distinct from new.state then
    insert into chaos.run_transition (dag_id, run_id, old_state, new_state) values (new.dag_id, new.run_id, old.state, new.state);
  end if;
  return null;
end $$;
create trigger chaos_note after insert or delete or update of state on dag_run for each row execute function chaos.note_run();
create function chaos.note_pool() returns trigger language plpgsql as $$
begin
  insert into chaos.pool_change (pool, slots, include_deferred) values (new.pool, new.slots, new.include_deferred);
  return null;
end $$;
create trigger chaos_note after insert or update on slot_pool for each row execute function chaos.note_pool();
insert into chaos.pool_change (pool, slots, include_deferred) select pool, slots, include_deferred from slot_pool`;

/** Call once, before the first task instance is created. */
export async function installRecorder(db: Db): Promise<void> {
  await db.query(RECORDER);
}
