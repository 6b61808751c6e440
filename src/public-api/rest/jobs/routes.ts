import { z } from "@hono/zod-openapi";
import { JOB_ORDER_KEYS, listJobs } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { count, flag, instant, many, ranges, readDates, text } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";
import { jobShape, toJob } from "./shapes.ts";

const DATES = ["start_date", "end_date"] as const;
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
