import { z } from "@hono/zod-openapi";
import { TASK_INSTANCE_STATES } from "../../../contracts/index.ts";
import { type Db, findRenderedFields, type InstanceRow, type TryRow, type VersionFacts } from "../../../store/index.ts";
import { dagVersionShape, versionOf } from "../dag-versions/shapes.ts";
import { count, iso, isoOrNull, when } from "../fields.ts";
import { jobShape, toJob } from "../jobs/shapes.ts";
import { displayNameOf, type VersionFactsCache } from "../version-facts.ts";

export const tryShape = z
  .object({
    task_id: z.string(),
    dag_id: z.string(),
    dag_run_id: z.string(),
    map_index: z.int(),
    start_date: when.nullable(),
    end_date: when.nullable(),
    duration: z.number().nullable(),
    state: z.enum(TASK_INSTANCE_STATES).nullable(),
    try_number: z.int(),
    max_tries: z.int(),
    task_display_name: z.string(),
    dag_display_name: z.string(),
    hostname: z.string().nullable(),
    unixname: z.string().nullable(),
    pool: z.string(),
    pool_slots: z.int(),
    queue: z.string().nullable(),
    priority_weight: z.int().nullable(),
    operator: z.string().nullable(),
    operator_name: z.string().nullable(),
    queued_when: when.nullable(),
    scheduled_when: when.nullable(),
    pid: z.int().nullable(),
    executor: z.string().nullable(),
    executor_config: z.string(),
    /** In the executor's outside system: an ECS task's ARN, a request id of Lambda. Airflow's API lacks it. */
    external_executor_id: z.string().nullable(),
    dag_version: dagVersionShape.nullable(),
  })
  .openapi("TaskInstanceHistoryResponse");

export const tryListShape = z
  .object({ task_instances: z.array(tryShape), total_entries: count })
  .openapi("TaskInstanceHistoryCollectionResponse");

const triggerShape = z
  .object({
    id: z.int(),
    classpath: z.string(),
    /** Encrypted at rest, and never shown: they may contain secrets. */
    kwargs: z.string(),
    created_date: when,
    queue: z.string().nullable(),
    triggerer_id: z.int().nullable(),
  })
  .openapi("TriggerResponse");

export const instanceShape = tryShape
  .extend({
    id: z.uuid(),
    logical_date: when.nullable(),
    run_after: when,
    note: z.string().nullable(),
    rendered_map_index: z.string().nullable(),
    rendered_fields: z.record(z.string(), z.unknown()),
    trigger: triggerShape.nullable(),
    triggerer_job: jobShape.nullable(),
  })
  .openapi("TaskInstanceResponse");
export type InstanceAnswer = z.infer<typeof instanceShape>;

/**
 * `total_entries` is exact up to `total_entries_limit`. Above that it may be an estimate, which is never so small that a client
 * that reads page by page stops too early.
 */
export const instanceListShape = z
  .object({ task_instances: z.array(instanceShape), total_entries: count, total_entries_limit: count.optional() })
  .openapi("TaskInstanceCollectionResponse");

export function toTry(row: TryRow, facts: VersionFacts | undefined): z.infer<typeof tryShape> {
  return {
    task_id: row.taskId,
    dag_id: row.dagId,
    dag_run_id: row.runId,
    map_index: row.mapIndex,
    start_date: isoOrNull(row.startDate),
    end_date: isoOrNull(row.endDate),
    duration: row.duration,
    state: row.state,
    try_number: row.tryNumber,
    max_tries: row.maxTries,
    task_display_name: displayNameOf(facts, row.taskId),
    dag_display_name: row.dagDisplayName,
    hostname: row.hostname,
    unixname: row.unixname,
    pool: row.pool,
    pool_slots: row.poolSlots,
    queue: row.queue,
    priority_weight: row.priorityWeight,
    operator: row.operator,
    operator_name: row.operator,
    queued_when: isoOrNull(row.queuedAt),
    scheduled_when: isoOrNull(row.scheduledAt),
    pid: row.pid,
    executor: row.executor,
    executor_config: JSON.stringify(facts?.tasks[row.taskId]?.executorConfig ?? {}),
    external_executor_id: row.externalExecutorId,
    dag_version: versionOf(row),
  };
}

/** Adds version facts and rendered fields to the rows of a page, with one look-up each for the whole page. */
export async function toInstances(db: Db, facts: VersionFactsCache, rows: readonly InstanceRow[]): Promise<InstanceAnswer[]> {
  if (rows.length === 0) return [];
  const versions = await facts.get(
    db,
    rows.map((row) => row.versionId),
  );
  const keyOf = (row: { dagRunId: number; taskId: string; mapIndex: number }) =>
    `${row.dagRunId}\n${row.taskId}\n${row.mapIndex}`;
  const rendered = new Map((await findRenderedFields(db, rows)).map((row) => [keyOf(row), row.fields]));
  return rows.map((row) => ({
    ...toTry(row, versions.get(row.versionId)),
    id: row.id,
    logical_date: isoOrNull(row.logicalDate),
    run_after: iso(row.runAfter),
    note: row.note,
    rendered_map_index: row.renderedMapIndex ?? (row.mapIndex < 0 ? null : String(row.mapIndex)),
    rendered_fields: rendered.get(keyOf(row)) ?? {},
    ...triggerOf(row),
  }));
}

function triggerOf(row: InstanceRow): Pick<InstanceAnswer, "trigger" | "triggerer_job"> {
  const { triggerId, triggerClasspath, triggerCreatedAt, triggererId, triggererStartedAt, triggererHeartbeatAt } = row;
  if (triggerId === null || triggerClasspath === null || triggerCreatedAt === null) return { trigger: null, triggerer_job: null };
  const trigger = {
    id: triggerId,
    classpath: triggerClasspath,
    kwargs: "***",
    created_date: iso(triggerCreatedAt),
    queue: null,
    triggerer_id: triggererId,
  };
  if (triggererId === null || triggererStartedAt === null || triggererHeartbeatAt === null)
    return { trigger, triggerer_job: null };
  const triggerer = {
    id: triggererId,
    jobType: "TriggererJob",
    state: row.triggererState ?? "running",
    hostname: row.triggererHostname ?? "",
    pid: 0,
    startDate: triggererStartedAt,
    endDate: null,
    latestHeartbeat: triggererHeartbeatAt,
  };
  return { trigger, triggerer_job: toJob(triggerer) };
}
