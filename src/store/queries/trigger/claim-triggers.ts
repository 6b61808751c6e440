import type { Db } from "../../store.ts";

export type TriggerRow = {
  id: number;
  classpath: string;
  moduleHash: string | null;
  /** Encrypted. */
  kwargs: Buffer;
  deaths: number;
  tryId: string;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
};

const columns = `t.id, t.classpath, t.module_hash as "moduleHash", t.kwargs, t.deaths, ti.id as "tryId", ti.dag_id as "dagId", ti.run_id as "runId",
  ti.task_id as "taskId", ti.map_index as "mapIndex", ti.try_number as "tryNumber"`;

/**
 * $1 the triggerer's job, $2 its capacity, $3 how many to take at most, $4 seconds after which anyone may take a trigger.
 *
 * Higher priority first, then age. A triggerer takes no more than its share of all triggers, so that the first one does not take
 * all. Triggers that stay free for $4 seconds, since the others are full, may be taken by any. SKIP LOCKED lets several claim at
 * once.
 */
const claim = {
  name: "claim-triggers",
  text: `
with me as materialized (
  select (select count(*) from trigger where triggerer_id = $1) as held,
         ceil((select count(*) from trigger)::float8
              / greatest(1, (select count(*) from job where job_type = 'TriggererJob' and state = 'running'))) as share
   where exists (select 1 from trigger where triggerer_id is null) and exists (select 1 from job where id = $1 and state = 'running')
), wanted as materialized (
  select t.id, t.free_since, row_number() over (order by t.priority_weight desc, t.id) as place
    from (select id, free_since, priority_weight from trigger
           where triggerer_id is null and exists (select 1 from me)
           order by priority_weight desc, id
           limit $3
           for update skip locked) t
), taken as (
  update trigger t set triggerer_id = $1
    from wanted w, me
   where t.id = w.id and w.place <= $2 - me.held
     and (w.place <= me.share - me.held or w.free_since < now() - make_interval(secs => $4))
  returning t.*
)
select ${columns} from taken t join task_instance ti on ti.trigger_id = t.id
 order by t.priority_weight desc, t.id`,
};

export type ClaimOptions = { jobId: number; capacity: number; limit: number; fairnessSec: number };

export async function claimTriggers(db: Db, { jobId, capacity, limit, fairnessSec }: ClaimOptions): Promise<TriggerRow[]> {
  return (await db.query<TriggerRow>(claim, [jobId, capacity, limit, fairnessSec])).rows;
}

/** $1 the triggerer's job, $2 what it runs already. */
const mine = {
  name: "find-own-triggers",
  text: `
with own as materialized (select * from trigger where triggerer_id = $1)
select (select coalesce(array_agg(id), '{}') from own) as ids,
       (select coalesce(json_agg(id), '[]') from own where id <> all($2::bigint[])) as missing`,
};

/** The ids of this triggerer's triggers, and of those among them that it does not run. */
export async function findOwnTriggers(
  db: Db,
  jobId: number,
  running: readonly number[],
): Promise<{ ids: number[]; missing: number[] }> {
  const { rows } = await db.query<{ ids: (number | string)[]; missing: number[] }>(mine, [jobId, running]);
  return { ids: (rows[0]?.ids ?? []).map(Number), missing: rows[0]?.missing ?? [] };
}
