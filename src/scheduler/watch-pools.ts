import { listDagWarnings } from "../store/index.ts";
import type { SchedulerResources } from "./resources.ts";

export type PoolWatch = { check(): Promise<void> };

/** At most this many DAGs are logged one by one: more have a common cause, which the first ones show. */
const TOLD_MAX = 100;

/**
 * Logs once that a DAG's tasks wait for a pool that does not exist or is too small, and once that they no longer do. The warnings
 * are computed anew at each check, so that a saved DAG and a changed or deleted pool are treated alike.
 */
export function createPoolWatch({ store, executors, logger }: SchedulerResources): PoolWatch {
  let said = new Map<string, { dagId: string; warningType: string; message: string }>();
  return {
    async check() {
      const page = { limit: TOLD_MAX, offset: 0, order: [] };
      const now: typeof said = new Map();
      for (const warningType of ["non-existent pool", "pool too small"]) {
        const { rows } = await listDagWarnings(store, { warningType }, page, [...executors.keys()]);
        for (const { dagId, message } of rows) now.set(`${warningType} ${dagId}`, { dagId, warningType, message });
      }
      for (const [key, { dagId, warningType, message }] of now)
        if (said.get(key)?.message !== message)
          logger.warn(
            { dagId, warning: warningType },
            `${message}. Make or widen the pools (baram pools set), or change the DAG`,
          );
      for (const [key, { dagId, warningType }] of said)
        if (!now.has(key))
          logger.info({ dagId, warning: warningType }, "the DAG's tasks no longer wait for a missing or too small pool");
      said = now;
    },
  };
}
