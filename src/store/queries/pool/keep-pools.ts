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

const list = `
select p.pool, p.slots, p.description, p.include_deferred as "includeDeferred",
       coalesce(sum(ti.pool_slots) filter (where ti.state in ('running', 'restarting')), 0) as "runningSlots",
       coalesce(sum(ti.pool_slots) filter (where ti.state = 'queued'), 0) as "queuedSlots",
       coalesce(sum(ti.pool_slots) filter (where ti.state = 'scheduled'), 0) as "scheduledSlots",
       coalesce(sum(ti.pool_slots) filter (where ti.state = 'deferred'), 0) as "deferredSlots"
  from slot_pool p
  left join task_instance ti on ti.pool = p.pool and ti.state in ('queued', 'running', 'restarting', 'scheduled', 'deferred')
 where $1::text is null or p.pool = $1
 group by p.pool order by p.pool`;

/** -1 slots = no limit. */
export async function listPools(db: Db): Promise<Pool[]> {
  return (await db.query<Pool>(list, [null])).rows;
}

export async function findPool(db: Db, pool: string): Promise<Pool | null> {
  return (await db.query<Pool>(list, [pool])).rows[0] ?? null;
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

/** Makes the pool only if it is missing: default_pool on the first start. */
export async function ensurePool(db: Db, pool: string, slots: number, description: string): Promise<void> {
  await db.query("insert into slot_pool (pool, slots, description) values ($1, $2, $3) on conflict (pool) do nothing", [
    pool,
    slots,
    description,
  ]);
}

export async function deletePool(db: Db, pool: string): Promise<boolean> {
  return (await db.query("delete from slot_pool where pool = $1", [pool])).rowCount === 1;
}
