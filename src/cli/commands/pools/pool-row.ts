import type { Pool } from "../../../store/index.ts";

export const POOL_COLUMNS = [
  "pool",
  "slots",
  "description",
  "include_deferred",
  "running_slots",
  "queued_slots",
  "scheduled_slots",
  "open_slots",
];

/** `open_slots` -1 = no limit, as for `slots`. */
export function poolRow(pool: Pool) {
  return {
    pool: pool.pool,
    slots: pool.slots,
    description: pool.description,
    include_deferred: pool.includeDeferred,
    running_slots: pool.runningSlots,
    queued_slots: pool.queuedSlots,
    scheduled_slots: pool.scheduledSlots,
    open_slots:
      pool.slots === -1
        ? -1
        : Math.max(0, pool.slots - pool.runningSlots - pool.queuedSlots - (pool.includeDeferred ? pool.deferredSlots : 0)),
  };
}
