/** Triggers, and what a deferred task instance waits for and goes on with. */
export const deferral = {
  version: 8,
  name: "deferral",
  // An older API server would run a resumed try from its beginning.
  breaking: true,
  sql: `
-- One deferral of one task instance. The row is there exactly as long as the instance is deferred: see leave_deferral.
create table trigger (
  id bigint generated always as identity primary key,
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  task_id text not null,
  map_index int not null,
  classpath text not null,
  -- the module that registered the trigger; null = a built-in one
  module_hash text,
  -- AES-256-GCM of JSON
  kwargs bytea not null,
  priority_weight int not null,
  created_date timestamptz not null default now(),
  -- the triggerer that runs it
  triggerer_id bigint references job (id) on delete set null,
  -- since when nobody runs it
  free_since timestamptz not null default now(),
  -- how often the process that ran it died
  deaths int not null default 0
) with (fillfactor = 80);
create index trigger_free on trigger (priority_weight desc, id) where triggerer_id is null;
create index trigger_owner on trigger (triggerer_id);
create index trigger_dag_run on trigger (dag_run_id);

alter table task_instance
  add column trigger_id bigint,
  add column trigger_timeout timestamptz,
  -- how a deferred try goes on; kwargs and event are AES-256-GCM of JSON
  add column next_method text,
  add column next_kwargs bytea,
  add column next_event bytea,
  -- why a try goes on only to fail
  add column next_failure text;
create unique index ti_trigger on task_instance (trigger_id) where trigger_id is not null;
create index ti_trigger_timeout on task_instance (trigger_timeout) where state = 'deferred';

-- Many statements move a task instance out of deferred (an event, a clear, a mark, a run's timeout …). Whoever does, its
-- trigger goes in the same transaction, and what it would have gone on with is forgotten once it cannot go on.
create or replace function leave_deferral() returns trigger language plpgsql as $$
begin
  if old.state = 'deferred' and new.state is distinct from 'deferred' then
    delete from trigger where id = old.trigger_id;
    new.trigger_id := null;
    new.trigger_timeout := null;
  end if;
  if new.state is null or new.state not in ('deferred', 'scheduled', 'queued', 'running', 'restarting') then
    new.next_method := null;
    new.next_kwargs := null;
    new.next_event := null;
    new.next_failure := null;
  end if;
  return new;
end $$;
create trigger leave_deferral before update on task_instance for each row
  when (old.next_method is not null and new.state is distinct from old.state) execute function leave_deferral();

-- Also when a run is deleted with all that hangs on it: the triggerer stops what nobody waits for.
create or replace function tell_triggerers() returns trigger language plpgsql as $$
begin
  perform pg_notify('baram_triggerer', 'gone');
  return null;
end $$;
create trigger tell_triggerers after delete on trigger for each statement execute function tell_triggerers();
`,
};
