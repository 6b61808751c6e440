import type { TaskInstanceState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import type { NamedIndex } from "./clear-instances.ts";

export type MarkedState = Extract<TaskInstanceState, "success" | "failed" | "skipped">;
export type MarkedInstance = { taskId: string; mapIndex: number; previousState: TaskInstanceState | null };

/**
 * $1 dag run, $2 task ids (null = all), $3 map index (null = all), $4 the new state, $5 only these states (null = any; "none"
 * stands for no state), $6 task ids that are left out, $7 why. A running try is not waited for: its writes require the state
 * running, so they are refused from now on, and it stops at its next heartbeat.
 */
const statement = {
  name: "set-states",
  text: `
with old as materialized (
  select dag_run_id, task_id, map_index, state, start_date from task_instance
   where dag_run_id = $1 and ($2::text[] is null or task_id = any($2)) and ($3::int is null or map_index = $3)
     and state is distinct from $4 and ($5::text[] is null or coalesce(state, 'none') = any($5))
     and task_id <> all($6::text[])
   order by id for update
), marked as (
  update task_instance ti
     set state = $4, start_date = coalesce(ti.start_date, now()), end_date = now(),
         duration = extract(epoch from now() - coalesce(ti.first_start_date, ti.start_date, now())),
         next_attempt_at = null, reschedule_count = 0, stop_reason = $7::text, updated_at = now()
    from old where ti.dag_run_id = old.dag_run_id and ti.task_id = old.task_id and ti.map_index = old.map_index
  returning ti.dag_run_id, ti.task_id, ti.map_index
), events as (
  insert into task_event (dag_run_id, task_id, map_index, state) select dag_run_id, task_id, map_index, $4 from marked
), told as materialized (select pg_notify('baram_scheduler', 'event') from (select 1 from marked limit 1) one)
select m.task_id as "taskId", m.map_index as "mapIndex", o.state as "previousState", (select count(*) from told) as told
  from marked m join old o on o.task_id = m.task_id and o.map_index = m.map_index order by m.task_id, m.map_index`,
};

export type MarkFilter = {
  taskIds: readonly string[] | null;
  mapIndex: number | null;
  states: readonly (TaskInstanceState | "none")[] | null;
  exceptTaskIds?: readonly string[];
};

/** Call under the run's lock. Instances that are in the state already are left out. `why`: see `stop_reason`. */
export async function setStates(
  tx: Db,
  dagRunId: number,
  state: MarkedState,
  filter: MarkFilter,
  why: string,
): Promise<MarkedInstance[]> {
  return (
    await tx.query<MarkedInstance>(statement, [
      dagRunId,
      filter.taskIds,
      filter.mapIndex,
      state,
      filter.states,
      filter.exceptTaskIds ?? [],
      why,
    ])
  ).rows;
}

export async function setInstanceNotes(
  tx: Db,
  dagRunId: number,
  filter: { taskIds: readonly string[] | null; mapIndex: number | null },
  note: string | null,
): Promise<void> {
  await tx.query(
    `with held as materialized (
       select id from task_instance
        where dag_run_id = $1 and ($2::text[] is null or task_id = any($2)) and ($3::int is null or map_index = $3)
        order by id
        for no key update
     )
     update task_instance ti set note = $4 from held where ti.id = held.id`,
    [dagRunId, filter.taskIds, filter.mapIndex, note],
  );
}

/** What a clear would take, without taking it. */
export async function pickInstances(
  db: Db,
  dagRunIds: readonly number[],
  taskIds: readonly string[] | null,
  states: readonly TaskInstanceState[] | null,
  only: readonly NamedIndex[] = [],
): Promise<{ dagRunId: number; taskId: string; mapIndex: number; state: TaskInstanceState | null }[]> {
  const { rows } = await db.query<{ dagRunId: number; taskId: string; mapIndex: number; state: TaskInstanceState | null }>(
    `select dag_run_id as "dagRunId", task_id as "taskId", map_index as "mapIndex", state from task_instance
      where dag_run_id = any($1::bigint[]) and ($2::text[] is null or task_id = any($2)) and ($3::text[] is null or state = any($3))
        and (task_id <> all($4::text[]) or (task_id, map_index) in (select * from unnest($4::text[], $5::int[])))
      order by dag_run_id, task_id, map_index`,
    [dagRunIds, taskIds, states, only.map((one) => one.taskId), only.map((one) => one.mapIndex)],
  );
  return rows;
}

export async function noteInstances(
  tx: Db,
  dagRunId: number,
  instances: readonly { taskId: string; mapIndex: number }[],
  note: string | null,
): Promise<void> {
  await tx.query(
    `with held as materialized (
       select ti.id
         from task_instance ti join unnest($2::text[], $3::int[]) as n(task_id, map_index)
           on ti.task_id = n.task_id and ti.map_index = n.map_index
        where ti.dag_run_id = $1
        order by ti.id
        for no key update of ti
     )
     update task_instance ti set note = $4 from held where ti.id = held.id`,
    [dagRunId, instances.map((one) => one.taskId), instances.map((one) => one.mapIndex), note],
  );
}
