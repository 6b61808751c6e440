import type { JsonValue, XcomRef } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

const one = {
  name: "find-xcom",
  text: `select x.value from dag_run r join xcom x on x.dag_run_id = r.id
          where r.dag_id = $1 and r.run_id = $2 and x.task_id = $3 and x.map_index = $4 and x.key = $5`,
};
/** The newest one of this run or an earlier one by logical date. */
const withPrior = {
  name: "find-xcom-prior",
  text: `select x.value from dag_run this
           join dag_run r on r.dag_id = this.dag_id and (r.id = this.id or r.logical_date < this.logical_date)
           join xcom x on x.dag_run_id = r.id
          where this.dag_id = $1 and this.run_id = $2 and x.task_id = $3 and x.map_index = $4 and x.key = $5
          order by r.logical_date desc nulls last limit 1`,
};

/** Wrapped, since a stored null is a value too. */
export async function findXcom(db: Db, ref: XcomRef, includePriorDates: boolean): Promise<{ value: JsonValue } | null> {
  const { rows } = await db.query<{ value: JsonValue }>(includePriorDates ? withPrior : one, [
    ref.dagId,
    ref.runId,
    ref.taskId,
    ref.mapIndex,
    ref.key,
  ]);
  return rows[0] ?? null;
}

/**
 * $5 what one wanted input may have, $6 what all of them may have together, in bytes of JSON. The stored size is checked first: it
 * is known without reading the value, and a value that exceeds the limit even when compressed is not small. Values of one input are
 * peers in the second window's order, so that each comes whole or not at all.
 */
const inputs = {
  name: "find-small-inputs",
  text: `
with stored as (
  select w.wanted, x.dag_run_id, x.task_id, x.map_index, x.key, x.value, sum(pg_column_size(x.value)) over (partition by w.wanted) as stored_bytes
    from (select row_number() over () as wanted, d.*
            from (select distinct * from unnest($1::bigint[], $2::text[], $3::text[], $4::int[]) as w(dag_run_id, task_id, key, map_index)) d) w
    join xcom x on x.dag_run_id = w.dag_run_id and x.task_id = w.task_id and x.key = w.key
     and (w.map_index is null or x.map_index = w.map_index)
), small as (
  select s.*, octet_length(s.value::text) as size_bytes, sum(octet_length(s.value::text)) over (partition by s.wanted) as input_bytes
    from stored s where s.stored_bytes <= $5
), carried as (
  select s.*, sum(s.size_bytes) over (order by s.wanted) as all_bytes from small s where s.input_bytes <= $5
)
select dag_run_id as "dagRunId", task_id as "taskId", map_index as "mapIndex", key, value, size_bytes as "sizeBytes"
  from carried where all_bytes <= $6`,
};

/** `mapIndex` null = of all the task's instances. */
export type WantedXcom = { dagRunId: number; taskId: string; key: string; mapIndex: number | null };
export type InputXcom = {
  dagRunId: number;
  taskId: string;
  mapIndex: number;
  key: string;
  value: JsonValue;
  /** Of the value's JSON. */
  sizeBytes: number;
};

/**
 * The XComs that a batch of starting tries names as inputs, in one statement: of those that are small, see `limits`, in bytes. Others
 * are left out, all instances of one input together.
 */
export async function findSmallInputs(
  db: Db,
  wanted: readonly WantedXcom[],
  limits: { inputBytes: number; allBytes: number },
): Promise<InputXcom[]> {
  if (wanted.length === 0) return [];
  return (
    await db.query<InputXcom>(inputs, [
      wanted.map((w) => w.dagRunId),
      wanted.map((w) => w.taskId),
      wanted.map((w) => w.key),
      wanted.map((w) => w.mapIndex),
      limits.inputBytes,
      limits.allBytes,
    ])
  ).rows;
}

/**
 * FOR SHARE: waits for a try that is finishing at the same moment, and then finds it finished. A plain read would still see it
 * running, and the value could end up in the next try.
 */
const byTry = {
  name: "set-xcom-by-try",
  text: `insert into xcom (dag_run_id, task_id, map_index, key, value)
         select ti.dag_run_id, ti.task_id, ti.map_index, $2, $3::json from task_instance ti where ti.id = $1 and ti.state = 'running' for share
         on conflict (dag_run_id, task_id, map_index, key) do update set value = excluded.value, "timestamp" = now()`,
};

/** Returns false if that try is not running any more: nothing was written. */
export async function setXcomByTry(db: Db, tryId: string, key: string, value: JsonValue): Promise<boolean> {
  return (await db.query(byTry, [tryId, key, JSON.stringify(value)])).rowCount === 1;
}

const fields = {
  name: "set-rendered-fields",
  text: `insert into rendered_task_instance_fields (dag_run_id, task_id, map_index, fields)
         select ti.dag_run_id, ti.task_id, ti.map_index, $2::json from task_instance ti where ti.id = $1 and ti.state = 'running' for share
         on conflict (dag_run_id, task_id, map_index) do update set fields = excluded.fields`,
};

export async function setRenderedFields(db: Db, tryId: string, rendered: JsonValue): Promise<boolean> {
  return (await db.query(fields, [tryId, JSON.stringify(rendered)])).rowCount === 1;
}
