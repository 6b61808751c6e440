import type { Config } from "../config/index.ts";
import { startSchedulerPart } from "./parts/scheduler-part.ts";
import { runRole } from "./role.ts";

/** `baram scheduler`: a scheduler and its executors. Their workers reach the API at [api] base_url, else at host and port. */
export function runScheduler(config: Config): Promise<void> {
  const apiUrl = config.api.base_url ?? `http://${config.api.host}:${config.api.port}`;
  return runRole(config, "scheduler", (store, logger) => startSchedulerPart(config, store, apiUrl, logger));
}
