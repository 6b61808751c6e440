import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

export type QueuedInstance = {
  id: string;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  tryNumber: number;
  poolSlots: number;
  queue: string;
  executor: string;
  priorityWeight: number;
  versionId: string;
  moduleHash: string;
  /** How long it was scheduled before it was queued. */
  scheduledSec: number;
};
export type ExecutorConfig = JsonObject;

const columns = `ti.id, ti.dag_id as "dagId", ti.run_id as "runId", ti.task_id as "taskId", ti.map_index as "mapIndex",
  ti.try_number as "tryNumber", ti.pool_slots as "poolSlots", ti.queue, ti.executor, ti.priority_weight as "priorityWeight",
  ti.dag_version_id as "versionId", v.module_hash as "moduleHash",
  extract(epoch from ti.queued_dttm - ti.scheduled_dttm)::float8 as "scheduledSec"`;

/** $1 ids, $2 the scheduler's job id. Locked in id order, as everywhere. */
const statement = {
  name: "queue-instances",
  text: `
with held as materialized (
  select id from task_instance where id = any($1::uuid[]) and state = 'scheduled' order by id for no key update
)
update task_instance ti
   set state = 'queued', queued_dttm = now(), queued_by_job_id = $2, external_executor_id = null, updated_at = now()
  from held, dag_version v
 where ti.id = held.id and v.id = ti.dag_version_id
returning ${columns}`,
};

/** Returned in the order of `ids`, that of their priority, in which executors get them. */
export async function queueInstances(tx: Db, ids: readonly string[], jobId: number): Promise<QueuedInstance[]> {
  return inOrderOf(ids, (await tx.query<QueuedInstance>(statement, [ids, jobId])).rows);
}

/** $1 ids. A try's id changes when it is requeued, so a try found here is still queued by the same scheduler. */
const stillQueued = {
  name: "still-queued",
  text: `select ${columns} from task_instance ti join dag_version v on v.id = ti.dag_version_id
          where ti.id = any($1::uuid[]) and ti.state = 'queued' order by ti.id for update of ti`,
};

export async function lockQueued(tx: Db, ids: readonly string[]): Promise<QueuedInstance[]> {
  return inOrderOf(ids, (await tx.query<QueuedInstance>(stillQueued, [ids])).rows);
}

/** The statements lock, and so return, by id, which is random. */
function inOrderOf(ids: readonly string[], rows: QueuedInstance[]): QueuedInstance[] {
  const places = new Map(ids.map((id, at) => [id, at]));
  return rows.sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
}
