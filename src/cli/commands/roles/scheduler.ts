import { loadConfig } from "../../../config/index.ts";
import { runScheduler } from "../../../main/scheduler.ts";

export function scheduler(): Promise<void> {
  return runScheduler(loadConfig());
}
