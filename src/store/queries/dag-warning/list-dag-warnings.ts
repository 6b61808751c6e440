import type { Db } from "../../store.ts";
import { type Listed, oneOf, type Page, readPage, sql } from "../compose.ts";

export const DAG_WARNING_TYPES = ["non-existent pool", "pool too small", "non-existent executor", "set aside"] as const;
export type DagWarningType = (typeof DAG_WARNING_TYPES)[number];

export type DagWarningRow = {
  dagId: string;
  dagDisplayName: string;
  warningType: DagWarningType;
  message: string;
  timestamp: Date;
};

const asideText = sql`(case a.kind
    when 'run' then 'Scheduling passes fail with run "' || r.run_id || '", which is left out'
    when 'schedule' then 'Its next scheduled run cannot be created'
    when 'backfill' then 'Backfill ' || a.subject || ' cannot go on'
    when 'try' then 'A try of run "' || r.run_id || '" cannot be moved on or ended'
    else 'A callback of run "' || r.run_id || '" cannot be queued again' end || ': ' || a.message)`;

/** Computed when asked, so that a created, enlarged or deleted pool shows at once. `executors`: the configured ones. */
const warningsBut = (executors: readonly string[]) => sql`(
  select d.dag_id, coalesce(d.display_name, d.dag_id) as display_name, max(p.updated_at) as "timestamp",
         case when (s.pool is null) then 'non-existent pool' else 'pool too small' end as warning_type,
         case when (s.pool is null)
              then 'Tasks name pools that do not exist and wait until they do: ' || string_agg(p.pool, ', ' order by p.pool)
              else 'Tasks ask for more slots than their pools have and wait until these are wider: '
                   || string_agg(p.pool || ' (' || p.pool_slots || ' of ' || s.slots || ')', ', ' order by p.pool) end as message
    from dag_pool p join dag d on d.dag_id = p.dag_id left join slot_pool s on s.pool = p.pool
   where not d.is_stale and (s.pool is null or (s.slots <> -1 and p.pool_slots > s.slots))
   group by d.dag_id, s.pool is null
  union all
  select d.dag_id, coalesce(d.display_name, d.dag_id), max(ti.scheduled_dttm), 'non-existent executor',
         'Tasks are scheduled for executors that [core] executor does not name and wait until it does: ' || string_agg(distinct ti.executor, ', ')
    from task_instance ti join dag d on d.dag_id = ti.dag_id
   where ti.state = 'scheduled' and ti.executor <> all(${executors}::text[])
   group by d.dag_id
  union all
  select d.dag_id, coalesce(d.display_name, d.dag_id), min(a.since), 'set aside',
         array_to_string((array_agg(${asideText} order by a.since, a.kind, a.subject))[1:3], '. ')
         || case when count(*) > 3 then '. And ' || count(*) - 3 || ' more' else '' end || '. Each is tried again by itself.'
    from set_aside a join dag d on d.dag_id = a.dag_id left join dag_run r on r.id = a.dag_run_id
   group by d.dag_id
) w`;
const columns = sql`w.dag_id as "dagId", w.display_name as "dagDisplayName", w.warning_type as "warningType", w.message, w."timestamp"`;
const orderable = {
  dag_id: sql`w.dag_id`,
  warning_type: sql`w.warning_type`,
  message: sql`w.message`,
  timestamp: sql`w."timestamp"`,
};
export type DagWarningOrderKey = keyof typeof orderable;
export const DAG_WARNING_ORDER_KEYS = Object.keys(orderable) as DagWarningOrderKey[];

export async function listDagWarnings(
  db: Db,
  filter: { dagId?: string; warningType?: string },
  page: Page<DagWarningOrderKey>,
  executors: readonly string[],
): Promise<Listed<DagWarningRow>> {
  const where = [
    ...oneOf(sql`w.dag_id`, filter.dagId === undefined ? undefined : [filter.dagId]),
    ...oneOf(sql`w.warning_type`, filter.warningType === undefined ? undefined : [filter.warningType]),
  ];
  const tieBreak = [sql`w.dag_id`, sql`w.warning_type`];
  const from = warningsBut(executors);
  return readPage<DagWarningRow, DagWarningOrderKey>(db, { columns, from, where, page, orderable, tieBreak });
}
