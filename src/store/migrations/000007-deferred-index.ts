/** Deferred instances are counted every few seconds for the metrics of pools; without this each count reads the whole table. */
export const deferredIndex = {
  version: 7,
  name: "deferred-index",
  breaking: false,
  sql: "create index ti_deferred_pool on task_instance (pool) where state = 'deferred'",
} as const;
