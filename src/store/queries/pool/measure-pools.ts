import type { Db } from "../../store.ts";

/** Slots by what takes them; `openSlots` null = a pool without a limit; `starving` = scheduled tries for which it has no room. */
export type MeasuredPool = {
  pool: string;
  openSlots: number | null;
  queuedSlots: number;
  runningSlots: number;
  deferredSlots: number;
  scheduledSlots: number;
  starving: number;
};

/**
 * Each branch of the union reads a partial index: ended instances are never read. Scheduled ones are read from the index alone: no column
 * that it lacks is selected.
 */
const statement = {
  name: "measure-pools",
  text: `
with used as materialized (
  select pool, state, pool_slots from task_instance where state in ('queued', 'running', 'restarting')
  union all
  select pool, 'scheduled', pool_slots from task_instance where state = 'scheduled'
  union all
  select pool, 'deferred', pool_slots from task_instance where state = 'deferred'
), sums as (
  select pool,
         coalesce(sum(pool_slots) filter (where state = 'queued'), 0) as queued,
         coalesce(sum(pool_slots) filter (where state in ('running', 'restarting')), 0) as running,
         coalesce(sum(pool_slots) filter (where state = 'deferred'), 0) as deferred,
         coalesce(sum(pool_slots) filter (where state = 'scheduled'), 0) as scheduled
    from used group by pool
), pools as (
  select p.pool, coalesce(s.queued, 0) as queued, coalesce(s.running, 0) as running, coalesce(s.deferred, 0) as deferred,
         coalesce(s.scheduled, 0) as scheduled,
         case when p.slots >= 0 then
           p.slots - coalesce(s.queued, 0) - coalesce(s.running, 0) - case when p.include_deferred then coalesce(s.deferred, 0) else 0 end
         end as open
    from slot_pool p left join sums s on s.pool = p.pool
)
select pool, open as "openSlots", queued as "queuedSlots", running as "runningSlots", deferred as "deferredSlots",
       scheduled as "scheduledSlots",
       (select count(*) from used u where u.pool = pools.pool and u.state = 'scheduled' and u.pool_slots > pools.open)::int as starving
  from pools order by pool`,
};

export async function measurePools(db: Db): Promise<MeasuredPool[]> {
  return (await db.query<MeasuredPool>(statement)).rows;
}
