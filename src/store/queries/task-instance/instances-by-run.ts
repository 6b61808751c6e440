import type { Db } from "../../store.ts";
import { allOf, type Fragment, orderOf, type Page, send, sql } from "../compose.ts";

/** Columns that all instances of a run share, to order by. */
export const ORDERABLE_OF_RUN = {
  dag_id: sql`r.dag_id`,
  run_id: sql`r.run_id`,
  dag_run_id: sql`r.run_id`,
  logical_date: sql`r.logical_date`,
  run_after: sql`r.run_after`,
  data_interval_start: sql`r.data_interval_start`,
  data_interval_end: sql`r.data_interval_end`,
};
export type RunOrderOfInstances = keyof typeof ORDERABLE_OF_RUN;

/** `where`: conditions on the run `r`. */
export async function countInstancesOf(db: Db, where: readonly Fragment[]): Promise<number> {
  const rows = await send<{ total: number }>(
    db,
    sql`select coalesce(sum(r.instance_count), 0)::int as total from dag_run r where ${allOf(where)}`,
  );
  return rows[0]?.total ?? 0;
}

/**
 * Selects the keys of a page of instances in an order of their runs, ties by run, task and map index. How many instances come before each run is the sum
 * of the counts of those before it, so a page costs what the runs cost, however far down it is: only the runs that hold it are looked into.
 */
export function keysByRun(where: readonly Fragment[], page: Page<RunOrderOfInstances>): Fragment {
  const ofRuns = orderOf(ORDERABLE_OF_RUN, [sql`r.id`], page);
  const direction = page.order[0]?.descending ? sql`desc` : sql`asc`;
  return sql`
select k.dag_run_id, k.task_id, k.map_index
  from (select r.id, r.instance_count, sum(r.instance_count) over (order by ${ofRuns} rows unbounded preceding) as upto
          from dag_run r where ${allOf(where)} and r.instance_count > 0) c
 cross join lateral (
   select ti.dag_run_id, ti.task_id, ti.map_index from task_instance ti where ti.dag_run_id = c.id
    order by ti.task_id ${direction}, ti.map_index ${direction}
    limit ${page.limit} offset greatest(${page.offset} - (c.upto - c.instance_count), 0)
 ) k
 where c.upto > ${page.offset} and c.upto - c.instance_count < ${page.offset}::bigint + ${page.limit}
 order by c.upto, k.task_id ${direction}, k.map_index ${direction}
 limit ${page.limit}`;
}
