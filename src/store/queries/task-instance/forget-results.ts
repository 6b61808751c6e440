import type { Db } from "../../store.ts";

/** $1 dag run ids, $2 task ids, $3 map indexes, side by side. */
const statement = {
  name: "forget-results",
  text: `
with gone as materialized (
  select * from unnest($1::bigint[], $2::text[], $3::int[]) as g(dag_run_id, task_id, map_index)
), lengths as (
  delete from task_map m using gone g where m.dag_run_id = g.dag_run_id and m.task_id = g.task_id and m.map_index = g.map_index
), fields as (
  delete from rendered_task_instance_fields f using gone g where f.dag_run_id = g.dag_run_id and f.task_id = g.task_id and f.map_index = g.map_index
)
delete from xcom x using gone g where x.dag_run_id = g.dag_run_id and x.task_id = g.task_id and x.map_index = g.map_index`,
};

/**
 * Deletes what earlier tries left (XComs, their length, rendered fields) of instances that are cleared or whose next try begins. So
 * what is stored always belongs to the current try, and neither a start nor a read has to check that.
 */
export async function forgetResults(
  tx: Db,
  instances: readonly { dagRunId: number; taskId: string; mapIndex: number }[],
): Promise<void> {
  await tx.query(statement, [
    instances.map((one) => one.dagRunId),
    instances.map((one) => one.taskId),
    instances.map((one) => one.mapIndex),
  ]);
}
