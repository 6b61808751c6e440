import { z } from "@hono/zod-openapi";
import type { JobType } from "../../../contracts/index.ts";
import type { JobRow } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { createHealthProbe } from "./health-probe.ts";

const status = z.enum(["healthy", "unhealthy"]).nullable();
/** Airflow's fields, and in addition the number of live jobs of the role and the start of the oldest one. */
const life = { status, live: z.int(), since: z.string().nullable() };
const health = z
  .object({
    metadatabase: z.object({ status }),
    scheduler: z.object({
      ...life,
      latest_scheduler_heartbeat: z.string().nullable(),
      /** Why no scheduler makes progress. */
      reason: z.string().nullable(),
      /** Number of items that the schedulers have set aside because they fail with them; see the DAG warnings. */
      set_aside: z.int(),
    }),
    triggerer: z.object({ ...life, latest_triggerer_heartbeat: z.string().nullable() }),
    dag_processor: z.object({ ...life, latest_dag_processor_heartbeat: z.string().nullable() }),
  })
  .openapi("HealthInfoResponse");
const version = z.object({ version: z.string(), git_version: z.string().nullable() }).openapi("VersionInfo");

/** Without a token, so that load balancers, and clients that look for a server, can ask. */
export function monitorRoutes(api: Api): void {
  const probe = createHealthProbe(api.resources.store, api.resources.logger);
  endpoint(
    api,
    "get /api/v2/version",
    { tag: "Version", summary: "Version of this server", access: null, answer: version },
    async ({ options }) => ({ version: options.version, git_version: null }),
  );

  /** Always 200, as in Airflow: the client decides whether a missing scheduler is a failure. */
  endpoint(
    api,
    "get /api/v2/monitor/health",
    { tag: "Monitor", summary: "Health of the database and of each role", access: null, answer: health },
    async ({ options }) => {
      const jobs = await probe();
      const of = (type: JobType) => lifeOf(jobs ?? [], type, options.healthThresholdSec[type]);
      const [scheduler, triggerer, processor] = [of("SchedulerJob"), of("TriggererJob"), of("DagProcessorJob")];
      return {
        metadatabase: { status: jobs ? ("healthy" as const) : ("unhealthy" as const) },
        scheduler: {
          ...scheduler.life,
          latest_scheduler_heartbeat: scheduler.heartbeat,
          reason: scheduler.life.status === "unhealthy" ? scheduler.reason : null,
          set_aside: jobs?.[0]?.set_aside ?? 0,
        },
        triggerer: { ...triggerer.life, latest_triggerer_heartbeat: triggerer.heartbeat },
        dag_processor: { ...processor.life, latest_dag_processor_heartbeat: processor.heartbeat },
      };
    },
  );
}

function lifeOf(jobs: readonly JobRow[], type: JobType, thresholdSec: number) {
  const ofType = jobs.filter((job) => job.job_type === type);
  const heard = ofType.filter((job) => job.state === "running" && job.silent_for_sec < thresholdSec);
  const living = heard.filter((job) => (job.failing_for_sec ?? 0) < thresholdSec);
  const earliest = living.map((job) => job.start_date.getTime()).sort((a, b) => a - b)[0];
  const latest = ofType.map((job) => job.latest_heartbeat.getTime()).sort((a, b) => b - a)[0];
  const iso = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    life: {
      status: ofType.length === 0 ? null : living.length > 0 ? ("healthy" as const) : ("unhealthy" as const),
      live: living.length,
      since: iso(earliest),
    },
    heartbeat: iso(latest),
    reason: heard.find((job) => job.failure !== null)?.failure ?? null,
  };
}
