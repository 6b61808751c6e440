import type { Config } from "../config/index.ts";
import { baseUrl } from "./base-url.ts";
import { ensureDefaultPool } from "./dag-processor/sql-dag-file-store.ts";
import { startSchedulerPart } from "./parts/scheduler-part.ts";
import { runRole } from "./role.ts";

/** `baram scheduler`: a scheduler and its executors. Their workers reach the API at [api] base_url, else at host and port. */
export function runScheduler(config: Config): Promise<void> {
  const apiUrl = baseUrl(config) ?? `http://${config.api.host}:${config.api.port}`;
  return runRole(config, "scheduler", async (store, logger, metrics) => {
    await ensureDefaultPool(store, config.core.default_pool_task_slot_count);
    return startSchedulerPart(config, store, apiUrl, logger, metrics);
  });
}
