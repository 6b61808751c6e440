/** Mapped tasks: how long the lists are that they are mapped over, and what their instances are called. */
export const taskMap = {
  version: 9,
  name: "task-map",
  breaking: false,
  sql: `
-- One row for each task instance whose result other tasks are mapped over; written by the statement that ends its try.
create table task_map (
  dag_run_id bigint not null references dag_run (id) on delete cascade,
  task_id text not null,
  map_index int not null default -1,
  -- elements of the returned list or object; of a mapped instance 1, since the list is collected from all of them
  length int not null check (length >= 0),
  primary key (dag_run_id, task_id, map_index)
);

alter table task_instance add column rendered_map_index text;
`,
};
