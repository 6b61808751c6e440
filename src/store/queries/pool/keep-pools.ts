import type { Db } from "../../store.ts";

export type Pool = {
  pool: string;
  slots: number;
  description: string | null;
  includeDeferred: boolean;
  runningSlots: number;
  queuedSlots: number;
  scheduledSlots: number;
  /** Counted as taken where `includeDeferred` says so. */
  deferredSlots: number;
};

/**
 * $1 pools, null = all. Each branch of the union reads a partial index: ended instances are never read. Scheduled ones are read from the
 * index alone: no column that it lacks is selected.
 */
const poolsWithUse = {
  name: "pools-with-use",
  text: `
with used as (
  select pool, state, pool_slots from task_instance where state in ('queued', 'running', 'restarting')
  union all
  select pool, 'scheduled', pool_slots from task_instance where state = 'scheduled'
  union all
  select pool, 'deferred', pool_slots from task_instance where state = 'deferred'
), sums as (
  select pool,
         sum(pool_slots) filter (where state in ('running', 'restarting')) as running,
         sum(pool_slots) filter (where state = 'queued') as queued,
         sum(pool_slots) filter (where state = 'scheduled') as scheduled,
         sum(pool_slots) filter (where state = 'deferred') as deferred
    from used where $1::text[] is null or pool = any($1) group by pool
)
select p.pool, p.slots, p.description, p.include_deferred as "includeDeferred", coalesce(s.running, 0) as "runningSlots",
       coalesce(s.queued, 0) as "queuedSlots", coalesce(s.scheduled, 0) as "scheduledSlots", coalesce(s.deferred, 0) as "deferredSlots"
  from slot_pool p left join sums s on s.pool = p.pool
 where $1::text[] is null or p.pool = any($1)
 order by p.pool`,
};

/** -1 slots = no limit. */
export async function allPools(db: Db): Promise<Pool[]> {
  return (await db.query<Pool>(poolsWithUse, [null])).rows;
}

export async function findPools(db: Db, pools: readonly string[]): Promise<Pool[]> {
  return pools.length === 0 ? [] : (await db.query<Pool>(poolsWithUse, [pools])).rows;
}

export async function findPool(db: Db, pool: string): Promise<Pool | null> {
  return (await findPools(db, [pool]))[0] ?? null;
}

/** Returns false if the name is taken; nothing was written then. */
export async function addPool(
  db: Db,
  pool: { pool: string; slots: number; description: string | null; includeDeferred: boolean },
): Promise<boolean> {
  const { rowCount } = await db.query(
    "insert into slot_pool (pool, slots, description, include_deferred) values ($1, $2, $3, $4) on conflict (pool) do nothing",
    [pool.pool, pool.slots, pool.description, pool.includeDeferred],
  );
  return rowCount === 1;
}

export async function setPool(
  db: Db,
  pool: { pool: string; slots: number; description: string | null; includeDeferred: boolean },
): Promise<void> {
  await db.query(
    `with saved as (
       insert into slot_pool (pool, slots, description, include_deferred) values ($1, $2, $3, $4)
       on conflict (pool) do update set slots = excluded.slots, description = excluded.description, include_deferred = excluded.include_deferred
       returning 1
     )
     select pg_notify('baram_scheduler', 'pool') from saved`,
    [pool.pool, pool.slots, pool.description, pool.includeDeferred],
  );
}

/** What is left out stays as it is. */
export type PoolChange = { slots?: number; description?: string | null; includeDeferred?: boolean };

/** $1 pool, $2 slots, $3 whether the description changes, $4 to what, $5 whether deferred tasks count. */
const change = {
  name: "change-pool",
  text: `
with changed as (
  update slot_pool
     set slots = coalesce($2, slots), description = case when $3 then $4 else description end, include_deferred = coalesce($5, include_deferred)
   where pool = $1 returning slots
), told as materialized (select pg_notify('baram_scheduler', 'pool') from changed)
select slots, (select count(*) from told) as told from changed`,
};

/**
 * Changes only the given fields, so that two concurrent changes of different fields both take effect. Returns the new number of
 * slots; null = there is no such pool.
 */
export async function changePool(db: Db, pool: string, to: PoolChange): Promise<number | null> {
  const values = [pool, to.slots ?? null, to.description !== undefined, to.description ?? null, to.includeDeferred ?? null];
  return (await db.query<{ slots: number }>(change, values)).rows[0]?.slots ?? null;
}

/** Makes the pool only if it is missing: default_pool on the first start. */
export async function ensurePool(db: Db, pool: string, slots: number, description: string): Promise<void> {
  await db.query("insert into slot_pool (pool, slots, description) values ($1, $2, $3) on conflict (pool) do nothing", [
    pool,
    slots,
    description,
  ]);
}

/** Locks the pool until the transaction ends; false = there is none. */
export async function lockPool(tx: Db, pool: string): Promise<boolean> {
  return (await tx.query("select 1 from slot_pool where pool = $1 for update", [pool])).rowCount === 1;
}

export async function deletePool(db: Db, pool: string): Promise<boolean> {
  return (await db.query("delete from slot_pool where pool = $1", [pool])).rowCount === 1;
}
