import { z } from "@hono/zod-openapi";
import { JOB_ORDER_KEYS, type ListedJob, listJobs } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { count, flag, instant, iso, isoOrNull, many, ranges, readDates, text, when } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";

const DATES = ["start_date", "end_date"] as const;
const jobShape = z
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

export function jobRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/jobs",
    {
      tag: "Jobs",
      summary: "Processes of each role, running and ended",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        ...ranges(DATES, instant),
        is_alive: flag.optional(),
        job_state: many(text),
        job_type: many(text),
        hostname: many(text),
      }),
      answer: z.object({ jobs: z.array(jobShape), total_entries: count }).openapi("JobCollectionResponse"),
    },
    async ({ query, resources, options }) => {
      const dates = readDates(query, DATES);
      const filter = {
        isAlive: query.is_alive,
        aliveWithinSec: options.healthThresholdSec,
        types: query.job_type,
        states: query.job_state,
        hostnames: query.hostname,
        startDate: dates.start_date,
        endDate: dates.end_date,
      };
      const { rows, total } = await listJobs(resources.store, filter, readPageQuery(query, options, JOB_ORDER_KEYS));
      return { jobs: rows.map(toJob), total_entries: total };
    },
  );
}

function toJob(row: ListedJob): z.infer<typeof jobShape> {
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
