import type { Db } from "../../store.ts";

export type MapLength = { dagRunId: number; taskId: string; length: number };

/** $1 dag run ids, $2 task ids, side by side. A mapped task's instances add up. */
const statement = {
  name: "map-lengths",
  text: `
select m.dag_run_id as "dagRunId", m.task_id as "taskId", sum(m.length) as length
  from (select distinct * from unnest($1::bigint[], $2::text[]) as w(dag_run_id, task_id)) w
  join task_map m on m.dag_run_id = w.dag_run_id and m.task_id = w.task_id
 group by m.dag_run_id, m.task_id`,
};

/** The number of elements of each result that others are mapped over; a task missing from the answer has no result. */
export async function mapLengths(db: Db, sources: readonly { dagRunId: number; taskId: string }[]): Promise<MapLength[]> {
  if (sources.length === 0) return [];
  return (await db.query<MapLength>(statement, [sources.map((s) => s.dagRunId), sources.map((s) => s.taskId)])).rows;
}
