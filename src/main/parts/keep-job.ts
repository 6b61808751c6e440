import { hostname } from "node:os";
import type { Config } from "../../config/index.ts";
import type { JobType } from "../../contracts/index.ts";
import { isDatabaseAway, type Logger, type Metrics, startInterval, systemClock, toError } from "../../platform/index.ts";
import { beatJob, endJob, type Store, startJob } from "../../store/index.ts";
import type { Part, RoleLife } from "./part.ts";

export type Job = Part & { life(): RoleLife };

/** Keeps a job row with a heartbeat, so that health checks see that this role is alive. `onBeat`: called when it was written. */
export async function keepJob(
  store: Store,
  type: JobType,
  config: Config,
  logger: Logger,
  metrics: Metrics,
  onBeat: () => void = () => {},
): Promise<Job> {
  const job = type.toLowerCase();
  const start = () => startJob(store, { type, hostname: hostname(), pid: process.pid });
  let id = await start();
  let sinceMs = systemClock.now();
  let heartbeatMs = sinceMs;
  let isBeating = false;
  metrics.count("job_start", { job });

  async function beat(): Promise<void> {
    // One at a time, or they would pile up on the pool's connections while the database hangs.
    if (isBeating) return;
    isBeating = true;
    try {
      if (!(await beatJob(store, id))) {
        id = await start();
        sinceMs = systemClock.now();
      }
      heartbeatMs = systemClock.now();
      onBeat();
    } catch (error) {
      metrics.count("job_heartbeat_failure", { job });
      if (!isDatabaseAway(error)) logger.warn({ error: toError(error).message, type }, "a heartbeat could not be written");
    } finally {
      isBeating = false;
    }
  }

  const timer = startInterval(config.scheduler.job_heartbeat_sec * 1_000, () => void beat());
  return {
    life: () => ({ jobId: id, sinceMs, heartbeatMs }),
    async stop() {
      timer.cancel();
      await endJob(store, id).catch(() => {});
      metrics.count("job_end", { job });
    },
  };
}
