import { z } from "@hono/zod-openapi";
import type { ListedJob } from "../../../store/index.ts";
import { iso, isoOrNull, when } from "../fields.ts";

export const jobShape = z
  .object({
    id: z.int(),
    dag_id: z.string().nullable(),
    state: z.string().nullable(),
    job_type: z.string().nullable(),
    start_date: when.nullable(),
    end_date: when.nullable(),
    latest_heartbeat: when.nullable(),
    executor_class: z.string().nullable(),
    hostname: z.string().nullable(),
    unixname: z.string().nullable(),
    dag_display_name: z.string().nullable(),
  })
  .openapi("JobResponse");

export function toJob(row: ListedJob): z.infer<typeof jobShape> {
  return {
    id: row.id,
    dag_id: null,
    state: row.state,
    job_type: row.jobType,
    start_date: iso(row.startDate),
    end_date: isoOrNull(row.endDate),
    latest_heartbeat: iso(row.latestHeartbeat),
    executor_class: null,
    hostname: row.hostname,
    unixname: null,
    dag_display_name: null,
  };
}
