import { z } from "@hono/zod-openapi";
import type { SerializedTask } from "../../../contracts/index.ts";
import { count } from "../fields.ts";

const timeDelta = z
  .object({ __type: z.literal("TimeDelta"), days: z.int(), seconds: z.int(), microseconds: z.int() })
  .openapi("TimeDelta");

export const taskShape = z
  .object({
    task_id: z.string().nullable(),
    task_display_name: z.string().nullable(),
    owner: z.string().nullable(),
    start_date: z.string().nullable(),
    end_date: z.string().nullable(),
    trigger_rule: z.string().nullable(),
    depends_on_past: z.boolean(),
    wait_for_downstream: z.boolean(),
    retries: z.number().nullable(),
    queue: z.string().nullable(),
    pool: z.string().nullable(),
    pool_slots: z.number().nullable(),
    execution_timeout: timeDelta.nullable(),
    retry_delay: timeDelta.nullable(),
    retry_exponential_backoff: z.number(),
    priority_weight: z.number().nullable(),
    weight_rule: z.string().nullable(),
    ui_color: z.string().nullable(),
    ui_fgcolor: z.string().nullable(),
    template_fields: z.array(z.string()).nullable(),
    downstream_task_ids: z.array(z.string()).nullable(),
    doc_md: z.string().nullable(),
    operator_name: z.string().nullable(),
    params: z.record(z.string(), z.unknown()).nullable(),
    class_ref: z.record(z.string(), z.unknown()).nullable(),
    is_mapped: z.boolean().nullable(),
    extra_links: z.array(z.string()),
  })
  .openapi("TaskResponse");
export type TaskAnswer = z.infer<typeof taskShape>;

export const taskListShape = z.object({ tasks: z.array(taskShape), total_entries: count }).openapi("TaskCollectionResponse");

export function toTask(task: SerializedTask, downstream: readonly string[], params: Record<string, unknown>): TaskAnswer {
  return {
    task_id: task.taskId,
    task_display_name: task.displayName ?? task.taskId,
    owner: task.owner,
    start_date: task.startDate,
    end_date: task.endDate,
    trigger_rule: task.triggerRule,
    depends_on_past: task.dependsOnPast,
    wait_for_downstream: task.waitForDownstream,
    retries: task.retries,
    queue: task.queue,
    pool: task.pool,
    pool_slots: task.poolSlots,
    execution_timeout: task.executionTimeoutSec === null ? null : toTimeDelta(task.executionTimeoutSec),
    retry_delay: toTimeDelta(task.retryDelaySec),
    retry_exponential_backoff: task.retryExponentialBackoff,
    priority_weight: task.priorityWeight,
    weight_rule: task.weightRule,
    ui_color: null,
    ui_fgcolor: null,
    template_fields: task.templateFields,
    downstream_task_ids: [...downstream].sort(),
    doc_md: task.docMd,
    operator_name: task.operator,
    params,
    class_ref: { module_path: null, class_name: task.operator },
    is_mapped: task.mapping !== null,
    extra_links: [],
  };
}

const DAY_SEC = 86_400;

function toTimeDelta(seconds: number): z.infer<typeof timeDelta> {
  const whole = Math.floor(seconds);
  return {
    __type: "TimeDelta",
    days: Math.floor(whole / DAY_SEC),
    seconds: whole % DAY_SEC,
    microseconds: Math.round((seconds - whole) * 1_000_000),
  };
}
