import type { Db } from "../../store.ts";

/** $1 id, of a try or of a callback. */
const alive = {
  name: "is-caller-alive",
  text: `
select 1 from task_instance where id = $1 and state = 'running'
union all
select 1 from callback_request where id = $1 and state = 'running'
limit 1`,
};

/** Whether a try or a callback with this id is running now. */
export async function isCallerAlive(db: Db, id: string): Promise<boolean> {
  return (await db.query(alive, [id])).rowCount === 1;
}

export type CallerFacts = {
  /** `ended`: a try whose callbacks may still run. */
  kind: "try" | "ended" | "callback";
  dagId: string;
  runId: string;
  /** null for a callback of a DAG run. */
  taskId: string | null;
  mapIndex: number | null;
  tryNumber: number | null;
};

/** $1 id. A rescheduled or deferred poke is in no table any more. */
const facts = {
  name: "find-caller",
  text: `
select case when state = 'running' then 'try' else 'ended' end as kind, dag_id as "dagId", run_id as "runId", task_id as "taskId",
       map_index as "mapIndex", try_number as "tryNumber"
  from task_instance where id = $1
union all
select 'ended', dag_id, run_id, task_id, map_index, try_number from task_instance_history where id = $1
union all
select 'callback', r.dag_id, r.run_id, c.data -> 'ti' ->> 'taskId', (c.data -> 'ti' ->> 'mapIndex')::int, (c.data -> 'ti' ->> 'tryNumber')::int
  from callback_request c join dag_run r on r.id = c.dag_run_id where c.id = $1 and c.state = 'running'
limit 1`,
};

/** Who makes a call, by the id in its token; null = nobody any more. */
export async function findCaller(db: Db, id: string): Promise<CallerFacts | null> {
  return (await db.query<CallerFacts>(facts, [id])).rows[0] ?? null;
}

const ended = {
  name: "sec-since-end",
  text: `
select extract(epoch from now() - e.end_date)::float8 as sec
  from (select end_date from task_instance where id = $1
        union all
        select end_date from task_instance_history where id = $1) e
 where e.end_date is not null
 limit 1`,
};

/** Seconds since the try's end; null = it has not ended, or is not known any more. */
export async function secSinceEnd(db: Db, id: string): Promise<number | null> {
  return (await db.query<{ sec: number }>(ended, [id])).rows[0]?.sec ?? null;
}
