import type { Config } from "../config/index.ts";
import { startMonitorPart } from "./parts/monitor-part.ts";
import { runRole } from "./role.ts";

/** `baram monitor`: what waits in the queues, and which workers there are. */
export function runMonitor(config: Config): Promise<void> {
  return runRole(config, "monitor", async (store, logger) => {
    const part = await startMonitorPart(config, store, logger);
    logger.info({ url: part.url }, "listening");
    return part;
  });
}
