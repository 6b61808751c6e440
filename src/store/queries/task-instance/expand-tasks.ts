import type { Db } from "../../store.ts";
import { settingColumns } from "./columns.ts";
import { forgetResults } from "./forget-results.ts";

/** The instances one mapped task is to have. `unmapped`: what becomes of index -1. All indexes are disjoint. */
export type TaskExpansion = {
  dagRunId: number;
  taskId: string;
  unmapped: "kept" | "becomes 0" | "dropped";
  created: readonly number[];
  revived: readonly number[];
  removed: readonly number[];
};

/**
 * $1 dag runs, $2 task ids, $3 what becomes of index -1; then the indexes as dag run, task id and index: $4..$6 created, $7..$9
 * revived, $10..$12 removed.
 *
 * All or nothing per task: every part depends on `seed`, the row that new ones are copied from. For a task that is not expanded
 * yet, it must still be index -1 without a state. Index -1, if it is dropped or becomes 0, is that row. A removed instance's
 * results are deleted, or the list collected from them would be longer than the task; if its try runs, it is refused from now on.
 * All instances of these tasks are locked first, by id (`h.locked >= 0` makes the rest wait for it).
 */
const statement = {
  name: "expand-tasks",
  text: `
with held as materialized (
  select ti.id
    from task_instance ti join unnest($1::bigint[], $2::text[]) as e(dag_run_id, task_id)
      on ti.dag_run_id = e.dag_run_id and ti.task_id = e.task_id
   order by ti.id
   for update of ti
), seed as materialized (
  select s.*, e.unmapped
    from (select count(*) as locked from held) h
    cross join unnest($1::bigint[], $2::text[], $3::text[]) as e(dag_run_id, task_id, unmapped)
    cross join lateral (
      select * from task_instance ti
       where h.locked >= 0 and ti.dag_run_id = e.dag_run_id and ti.task_id = e.task_id
         and (e.unmapped = 'kept' or (ti.map_index = -1 and ti.state is null))
       order by ti.map_index limit 1 for update
    ) s
), renamed as (
  update task_instance ti set map_index = 0, updated_at = now() from seed s
   where s.unmapped = 'becomes 0' and ti.dag_run_id = s.dag_run_id and ti.task_id = s.task_id and ti.map_index = -1
), dropped as (
  delete from task_instance ti using seed s
   where s.unmapped = 'dropped' and ti.dag_run_id = s.dag_run_id and ti.task_id = s.task_id and ti.map_index = -1
), created as (
  insert into task_instance (dag_run_id, dag_id, run_id, task_id, map_index, dag_version_id, max_tries, ${settingColumns()})
  select s.dag_run_id, s.dag_id, s.run_id, s.task_id, c.map_index, s.dag_version_id, s.retries, ${settingColumns("s")}
    from unnest($4::bigint[], $5::text[], $6::int[]) as c(dag_run_id, task_id, map_index)
    join seed s on s.dag_run_id = c.dag_run_id and s.task_id = c.task_id
), revived as (
  update task_instance ti
     set state = null, id = gen_random_uuid(), max_tries = ti.try_number + ti.retries, start_date = null, end_date = null, duration = null,
         rendered_map_index = null, updated_at = now()
    from unnest($7::bigint[], $8::text[], $9::int[]) as r(dag_run_id, task_id, map_index), seed s
   where s.dag_run_id = r.dag_run_id and s.task_id = r.task_id
     and ti.dag_run_id = r.dag_run_id and ti.task_id = r.task_id and ti.map_index = r.map_index and ti.state = 'removed'
), removed as (
  update task_instance ti set state = 'removed', end_date = coalesce(ti.end_date, now()), next_attempt_at = null, updated_at = now()
    from unnest($10::bigint[], $11::text[], $12::int[]) as r(dag_run_id, task_id, map_index), seed s
   where s.dag_run_id = r.dag_run_id and s.task_id = r.task_id
     and ti.dag_run_id = r.dag_run_id and ti.task_id = r.task_id and ti.map_index = r.map_index
)
select count(*)::int as count from seed`,
};

/**
 * Call under the run's lock. Returns how many tasks were expanded: fewer than given means that another writer was faster. Results
 * of removed instances are deleted by a separate statement: one of them may have ended while the first statement waited for its
 * lock.
 */
export async function expandTasks(tx: Db, expansions: readonly TaskExpansion[]): Promise<number> {
  const instancesOf = (kind: "created" | "revived" | "removed") =>
    expansions.flatMap((e) => e[kind].map((mapIndex) => ({ dagRunId: e.dagRunId, taskId: e.taskId, mapIndex })));
  const rowsOf = (kind: "created" | "revived" | "removed") => {
    const rows = instancesOf(kind);
    return [rows.map((row) => row.dagRunId), rows.map((row) => row.taskId), rows.map((row) => row.mapIndex)];
  };
  const { rows } = await tx.query<{ count: number }>(statement, [
    expansions.map((e) => e.dagRunId),
    expansions.map((e) => e.taskId),
    expansions.map((e) => e.unmapped),
    ...rowsOf("created"),
    ...rowsOf("revived"),
    ...rowsOf("removed"),
  ]);
  const removed = instancesOf("removed");
  if (removed.length > 0) await forgetResults(tx, removed);
  return rows[0]?.count ?? 0;
}
