/** Queue workers. */
export const worker = {
  version: 10,
  name: "worker",
  breaking: false,
  sql: `
create table worker (
  name text primary key,
  -- of the process: a worker started again is another one
  instance uuid not null,
  hostname text not null,
  pid int not null,
  version text not null,
  queues text[] not null,
  concurrency int not null,
  active int not null,
  state text not null check (state in ('running', 'draining', 'offline')),
  first_online timestamptz not null default now(),
  last_heartbeat timestamptz not null default now(),
  -- what people want of this instance; the worker hears it with its next heartbeat
  wished_queues text[],
  wished_shutdown boolean not null default false
);
`,
};
