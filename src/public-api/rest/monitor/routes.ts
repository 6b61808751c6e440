import { z } from "@hono/zod-openapi";
import type { JobType } from "../../../contracts/index.ts";
import { BaramError } from "../../../platform/index.ts";
import { isConnectionLost, latestJobs } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";

const status = z.enum(["healthy", "unhealthy"]).nullable();
const health = z
  .object({
    metadatabase: z.object({ status }),
    scheduler: z.object({ status, latest_scheduler_heartbeat: z.string().nullable() }),
    triggerer: z.object({ status, latest_triggerer_heartbeat: z.string().nullable() }),
    dag_processor: z.object({ status, latest_dag_processor_heartbeat: z.string().nullable() }),
  })
  .openapi("HealthInfoResponse");
const version = z.object({ version: z.string(), git_version: z.string().nullable() }).openapi("VersionInfo");

/** Without a token, so that a load balancer and a client that looks for a server can ask. */
export function monitorRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/version",
    { tag: "Version", summary: "Version of this server", access: null, answer: version },
    async ({ options }) => ({ version: options.version, git_version: null }),
  );

  /** Always 200: whether one may go on without a scheduler is the caller's to judge, as in Airflow. */
  endpoint(
    api,
    "get /api/v2/monitor/health",
    { tag: "Monitor", summary: "Whether each role lives", access: null, answer: health },
    async ({ resources, options }) => {
      const jobs = await latestJobs(resources.store).catch((error: unknown) => {
        if (isConnectionLost(error) || (error instanceof BaramError && error.code === "database_unavailable")) return null;
        throw error;
      });
      const of = (type: JobType) => {
        const job = jobs?.find((one) => one.job_type === type);
        const lives = job?.state === "running" && job.silent_for_sec < options.healthThresholdSec;
        return {
          status: job ? (lives ? ("healthy" as const) : ("unhealthy" as const)) : null,
          at: job?.latest_heartbeat.toISOString() ?? null,
        };
      };
      const [scheduler, triggerer, processor] = [of("SchedulerJob"), of("TriggererJob"), of("DagProcessorJob")];
      return {
        metadatabase: { status: jobs ? ("healthy" as const) : ("unhealthy" as const) },
        scheduler: { status: scheduler.status, latest_scheduler_heartbeat: scheduler.at },
        triggerer: { status: triggerer.status, latest_triggerer_heartbeat: triggerer.at },
        dag_processor: { status: processor.status, latest_dag_processor_heartbeat: processor.at },
      };
    },
  );
}
