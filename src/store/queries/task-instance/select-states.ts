import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { allOf, type Fragment, oneOf, oneOfOrNone, send, sql } from "../compose.ts";

/** A filter that is left out does not restrict; an empty `taskIds` matches nothing. */
export type StateFilter = {
  dagId: string;
  taskIds?: readonly string[];
  mapIndex?: number;
  logicalDates?: readonly Date[];
  runIds?: readonly string[];
  /** "none" stands for no state. */
  states?: readonly string[];
};
export type InstanceState = { runId: string; taskId: string; mapIndex: number; state: TaskInstanceState | null };

const from = sql`task_instance ti join dag_run r on r.id = ti.dag_run_id`;

function conditions(filter: StateFilter): Fragment {
  const where = [
    sql`ti.dag_id = ${filter.dagId}`,
    ...oneOf(sql`ti.run_id`, filter.runIds),
    ...oneOfOrNone(sql`ti.state`, filter.states),
  ];
  if (filter.taskIds) where.push(sql`ti.task_id = any(${[...filter.taskIds]}::text[])`);
  if (filter.mapIndex !== undefined) where.push(sql`ti.map_index = ${filter.mapIndex}`);
  if (filter.logicalDates) where.push(sql`r.logical_date = any(${[...filter.logicalDates]}::timestamptz[])`);
  return allOf(where);
}

export async function countInstances(db: Db, filter: StateFilter): Promise<number> {
  const rows = await send<{ count: number }>(db, sql`select count(*)::int as count from ${from} where ${conditions(filter)}`);
  return rows[0]?.count ?? 0;
}

export async function selectStates(db: Db, filter: StateFilter): Promise<InstanceState[]> {
  return send(
    db,
    sql`select ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex", ti.state
          from ${from} where ${conditions(filter)} order by r.id, ti.task_id, ti.map_index`,
  );
}
