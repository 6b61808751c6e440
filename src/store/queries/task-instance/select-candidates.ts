import { POOL_SLOTS_MAX } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { ASIDE_RUNS, type Only } from "../set-aside/scope.ts";

export type Candidate = {
  id: string;
  dagRunId: number;
  dagId: string;
  taskId: string;
  versionId: string;
  pool: string;
  poolSlots: number;
  poolFree: number;
  runFree: number;
  executor: string;
  maxActiveTisPerDag: number | null;
  maxActiveTisPerDagrun: number | null;
  activeOfTask: number;
  activeOfTaskInRun: number;
  /** Tries this scheduler has queued or running, the adopted ones included. */
  activeOfJob: number;
};

/** One dispatcher at a time, cluster-wide: limits are counted and spent under this lock. */
const DISPATCH_LOCK = 727_002;

const BY_RANK =
  "order by c.priority_weight desc, c.backfill_place, c.run_after, c.scheduled_dttm, c.dag_run_id, c.task_id, c.map_index";

/**
 * $1 executors with free slots, $2 candidates at most, $3 ids that limits held back in this transaction, $4 the scheduler's job id.
 *
 * Free slots per pool and per run are counted first; each run then offers only what it may start in pools that have room, and no
 * more for a pool than it has slots. So a full pool, one with a single slot that frees again and again, or a run at its limit does
 * not use up the candidate limit and starves nobody. -1 slots = no limit. At one priority, a backfill's tasks come after all others
 * (place 0), in the order of its dates. A pool may count its deferred tasks, too.
 *
 * A task that needs more slots than its pool has free, and could start otherwise, is first in line there: lower-ranked tasks of
 * that pool are not offered, or slots freed one by one would never add up for it. It is returned in addition to the candidates,
 * does not use up their limit, and is found through the index ti_scheduled_wide, which holds only tasks that take several slots.
 *
 * A run's pools are enumerated through the index ti_scheduled_by_pool, one step each, and instances are read in its order only for
 * pools that have room. So the cost depends on what is offered, not on how many are scheduled: instances of a full pool are not
 * read.
 */
const ofOne = { name: "select-candidates", text: candidates("ti.executor = any($1)", "$2") };
/** $5 = the runs that are meant. */
const ofOneAmong = {
  name: "select-candidates-among",
  text: candidates("ti.executor = any($1)", "$2", "", "", "and r.id = any($5::bigint[])"),
};

/**
 * As above, with $5 the executors' free slots. Each run offers for each executor apart, and none is offered more than it has slots:
 * thousands of tasks for one with a single slot do not use up another's candidate limit. A statement of its own, since it costs more:
 * 8 ms and not 3.5 with 51 runs and 11,000 scheduled tasks.
 */
const ofSeveral = { name: "select-candidates-of-several", text: candidatesOfSeveral() };
/** $6 = the runs that are meant. */
const ofSeveralAmong = {
  name: "select-candidates-of-several-among",
  text: candidatesOfSeveral("and r.id = any($6::bigint[])"),
};

function candidatesOfSeveral(isMeant?: string): string {
  return candidates(
    "ti.executor = ef.name",
    "least(ef.free, $2)",
    "cross join unnest($1::text[], $5::int[]) as ef(name, free)",
    `, row_number() over (partition by c.executor ${BY_RANK}) as place_in_executor`,
    isMeant,
  );
}

function candidates(ofExecutor: string, perRun: string, executors = "", places = "", isMeant = ""): string {
  const columns = `ti.id, ti.dag_run_id, ti.dag_id, ti.task_id, ti.map_index, ti.dag_version_id, ti.pool, ti.pool_slots, ti.executor, ti.priority_weight,
             ti.scheduled_dttm, ti.max_active_tis_per_dag, ti.max_active_tis_per_dagrun`;
  const answered = `c.id, c.dag_run_id, c.dag_id, c.task_id, c.map_index, c.dag_version_id, c.pool, c.pool_slots, c.executor, c.priority_weight, c.scheduled_dttm,
         c.max_active_tis_per_dag, c.max_active_tis_per_dagrun, c.free, c.run_room, c.run_after, c.backfill_place`;
  const active = (which: string) =>
    `(select count(*) from task_instance a where ${which} and a.task_id = ti.task_id and a.state in ('queued', 'running', 'restarting'))`;
  return `
with pool_free as materialized (
  select p.pool, case when p.slots = -1 then ${POOL_SLOTS_MAX} else p.slots end as slots,
         case when p.slots = -1 then ${POOL_SLOTS_MAX} else p.slots - coalesce(used.slots, 0)
           - case when p.include_deferred then (select coalesce(sum(w.pool_slots), 0) from task_instance w where w.pool = p.pool and w.state = 'deferred') else 0 end
         end as free
    from slot_pool p
    left join (select pool, sum(pool_slots) as slots from task_instance
                where state in ('queued', 'running', 'restarting') group by pool) used on used.pool = p.pool
), run_free as materialized (
  select r.id, r.run_after, case when r.backfill_id is null then 0 else r.backfill_ordinal end as backfill_place,
         d.max_active_tasks - (select count(*) from task_instance a
                                where a.dag_run_id = r.id and a.state in ('queued', 'running', 'restarting')) as free
    from dag_run r join dag d on d.dag_id = r.dag_id
    cross join lateral (select 1 from task_instance s where s.dag_run_id = r.id and s.state = 'scheduled' limit 1) has_scheduled
   where r.state = 'running' and not d.is_paused and r.id <> all(${ASIDE_RUNS}) ${isMeant}
), first_in_line as materialized (
  select f.*, rf.free as run_room, rf.run_after, rf.backfill_place, pf.free
    from pool_free pf
    cross join lateral (
      select ${columns} from task_instance ti
       where ti.state = 'scheduled' and ti.pool_slots > 1 and ti.pool = pf.pool and ti.pool_slots > pf.free and ti.pool_slots <= pf.slots
         and (select rf.free from run_free rf where rf.id = ti.dag_run_id) > 0
         and ti.executor = any($1) and ti.id <> all($3)
         and (ti.max_active_tis_per_dag is null or ti.max_active_tis_per_dag > ${active("a.dag_id = ti.dag_id")})
         and (ti.max_active_tis_per_dagrun is null or ti.max_active_tis_per_dagrun > ${active("a.dag_run_id = ti.dag_run_id")})
       order by ti.priority_weight desc, ti.scheduled_dttm, ti.dag_run_id, ti.task_id, ti.map_index limit 1
    ) f
    join run_free rf on rf.id = f.dag_run_id
   where pf.free > 0
), pool_room as materialized (
  select pf.pool, pf.free, f.id as first_id, f.priority_weight, f.backfill_place, f.run_after, f.scheduled_dttm, f.dag_run_id, f.task_id, f.map_index
    from pool_free pf left join first_in_line f on f.pool = pf.pool
), found as materialized (
  select c.*, rf.free as run_room, rf.run_after, rf.backfill_place, pf.free${executors === "" ? "" : ", ef.free as executor_room"}
    from run_free rf ${executors}
    cross join lateral (
      with recursive named(pool) as (
        (select s.pool from task_instance s where s.dag_run_id = rf.id and s.state = 'scheduled' order by s.pool limit 1)
        union all
        select (select s.pool from task_instance s where s.dag_run_id = rf.id and s.state = 'scheduled' and s.pool > n.pool order by s.pool limit 1)
          from named n where n.pool is not null
      )
      select of_pool.*
        from named join pool_room pr on pr.pool = named.pool and pr.free > 0
       cross join lateral (
         select ${columns}
           from task_instance ti
          where ti.dag_run_id = rf.id and ti.pool = named.pool and ti.state = 'scheduled' and ti.pool_slots <= pr.free
            and (pr.first_id is null or ti.priority_weight > pr.priority_weight
                 or (ti.priority_weight = pr.priority_weight
                     and (rf.backfill_place, rf.run_after, ti.scheduled_dttm, ti.dag_run_id, ti.task_id, ti.map_index)
                       < (pr.backfill_place, pr.run_after, pr.scheduled_dttm, pr.dag_run_id, pr.task_id, pr.map_index)))
            and ${ofExecutor} and ti.id <> all($3)
          order by ti.priority_weight desc, ti.scheduled_dttm, ti.task_id, ti.map_index
          limit least(greatest(rf.free, 0), ${perRun})
       ) of_pool
       order by of_pool.priority_weight desc, of_pool.scheduled_dttm, of_pool.task_id, of_pool.map_index
       limit least(greatest(rf.free, 0), ${perRun})
    ) c
    join pool_free pf on pf.pool = c.pool
), offered as materialized (
  select c.*, row_number() over (partition by c.pool ${BY_RANK}) as place_in_pool${places} from found c
), answered as (
  (select ${answered} from offered c
    where c.place_in_pool <= c.free${executors === "" ? "" : " and c.place_in_executor <= c.executor_room"}
    ${BY_RANK} limit $2)
  union all
  select ${answered} from first_in_line c
)
select c.id, c.dag_run_id as "dagRunId", c.dag_id as "dagId", c.task_id as "taskId", c.dag_version_id as "versionId", c.pool, c.pool_slots as "poolSlots",
       c.free as "poolFree", c.run_room::int as "runFree", c.executor,
       c.max_active_tis_per_dag as "maxActiveTisPerDag", c.max_active_tis_per_dagrun as "maxActiveTisPerDagrun",
       case when c.max_active_tis_per_dag is null then 0 else
         (select count(*) from task_instance a where a.dag_id = c.dag_id and a.task_id = c.task_id and a.state in ('queued', 'running', 'restarting')) end::int as "activeOfTask",
       case when c.max_active_tis_per_dagrun is null then 0 else
         (select count(*) from task_instance a where a.dag_run_id = c.dag_run_id and a.task_id = c.task_id and a.state in ('queued', 'running', 'restarting')) end::int as "activeOfTaskInRun",
       (select count(*) from task_instance a where a.state in ('queued', 'running', 'restarting') and a.queued_by_job_id = $4)::int as "activeOfJob"
  from answered c
 ${BY_RANK}`;
}

/**
 * Takes the dispatch lock for this transaction; false = another scheduler holds it. Must be a separate statement: counts need a
 * snapshot taken after it.
 */
export async function tryDispatchLock(tx: Db): Promise<boolean> {
  const { rows } = await tx.query<{ got: boolean }>(
    { name: "dispatch-lock", text: "select pg_try_advisory_xact_lock($1) as got" },
    [DISPATCH_LOCK],
  );
  return rows[0]?.got ?? false;
}

/** Waits for the dispatch lock. For changes of what is counted under it, other than dispatch: adopting tries, for example. */
export async function holdDispatchLock(tx: Db): Promise<void> {
  await tx.query({ name: "hold-dispatch-lock", text: "select pg_advisory_xact_lock($1)" }, [DISPATCH_LOCK]);
}

export type CandidateQuery = {
  /** Executors with free slots, and how many. */
  executors: readonly (readonly [name: string, free: number])[];
  limit: number;
  heldBack: readonly string[];
  jobId: number;
  only: Only;
};

/**
 * In the order of their rank. Those that need more slots than their pool has free cannot start yet: they are first in line there.
 */
export async function selectCandidates(tx: Db, query: CandidateQuery): Promise<Candidate[]> {
  const names = query.executors.map(([name]) => name);
  const isOne = names.length <= 1;
  const values: unknown[] = [names, query.limit, query.heldBack, query.jobId];
  if (!isOne) values.push(query.executors.map(([, free]) => free));
  if (query.only === null) return (await tx.query<Candidate>(isOne ? ofOne : ofSeveral, values)).rows;
  return (await tx.query<Candidate>(isOne ? ofOneAmong : ofSeveralAmong, [...values, query.only])).rows;
}
