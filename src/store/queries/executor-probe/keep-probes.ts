import type { Db } from "../../store.ts";

/** A check of an executor that is under way. */
export type ExecutorProbe = {
  hostname: string | null;
  version: string | null;
  /** Whether its line is where logs are read; null = not known yet. */
  hasLog: boolean | null;
  logFault: string | null;
};

/** $1 id, $2 executor. Rows that an aborted command has left go with it. */
const insert = {
  name: "insert-probe",
  text: `
with old as (delete from executor_probe where created_at < now() - interval '1 day')
insert into executor_probe (id, executor) values ($1, $2)`,
};
/** $1 id, $2 hostname, $3 version. A worker whose answer was lost asks again under its own name. */
const start = {
  name: "start-probe",
  text: `
update executor_probe set started_at = coalesce(started_at, now()), hostname = $2, version = $3
 where id = $1 and (started_at is null or hostname = $2) and created_at > now() - interval '1 day'
returning 1`,
};
/** $1 id, $2 why its log cannot be read, or null. */
const end = {
  name: "end-probe",
  text: "update executor_probe set has_log = $2::text is null, log_fault = $2 where id = $1 and started_at is not null returning 1",
};
const find = {
  name: "find-probe",
  text: `select hostname, version, has_log as "hasLog", log_fault as "logFault" from executor_probe where id = $1`,
};
const remove = { name: "remove-probe", text: "delete from executor_probe where id = $1" };

export async function insertProbe(db: Db, id: string, executor: string): Promise<void> {
  await db.query(insert, [id, executor]);
}

/** false: there is none that waits for this worker. */
export async function startProbe(db: Db, id: string, worker: { hostname: string; version: string }): Promise<boolean> {
  return (await db.query(start, [id, worker.hostname, worker.version])).rows.length > 0;
}

/** false: there is none that has started. */
export async function endProbe(db: Db, id: string, logFault: string | null): Promise<boolean> {
  return (await db.query(end, [id, logFault])).rows.length > 0;
}

export async function findProbe(db: Db, id: string): Promise<ExecutorProbe | null> {
  return (await db.query<ExecutorProbe>(find, [id])).rows[0] ?? null;
}

export async function removeProbe(db: Db, id: string): Promise<void> {
  await db.query(remove, [id]);
}
