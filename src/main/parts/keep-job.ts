import { hostname } from "node:os";
import type { Config } from "../../config/index.ts";
import type { JobType } from "../../contracts/index.ts";
import type { Logger } from "../../platform/index.ts";
import { beatJob, endJob, type Store, startJob } from "../../store/index.ts";
import type { Part } from "./part.ts";

/** A job row with a heartbeat, so that the health answer can tell that this role lives. */
export async function keepJob(store: Store, type: JobType, config: Config, logger: Logger): Promise<Part> {
  const start = () => startJob(store, { type, hostname: hostname(), pid: process.pid });
  let id = await start();
  const timer = setInterval(async () => {
    try {
      if (!(await beatJob(store, id))) id = await start();
    } catch (error) {
      logger.warn({ error: (error as Error).message, type }, "a heartbeat could not be written");
    }
  }, config.scheduler.scheduler_heartbeat_sec * 1_000);
  return {
    async stop() {
      clearInterval(timer);
      await endJob(store, id).catch(() => {});
    },
  };
}
