import { type Logger, sleep } from "../../../platform/index.ts";
import { type JobRow, latestJobs, type Store } from "../../../store/index.ts";

/** A load balancer asks every few seconds and has a short timeout; a database that takes longer than this counts as unhealthy. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * Queries the roles' jobs. Returns null if the database cannot be reached or does not answer in time. While a query hangs, no
 * other one is sent, so that health checks do not use up the connections to a database that hangs.
 */
export function createHealthProbe(store: Store, logger: Logger, withinMs = ANSWER_WITHIN_MS): () => Promise<JobRow[] | null> {
  let asked: Promise<JobRow[] | null> | null = null;
  return async () => {
    asked ??= latestJobs(store)
      .catch((error: Error) => {
        logger.warn({ error: error.message }, "the database did not answer a health check");
        return null;
      })
      .finally(() => {
        asked = null;
      });
    const answered = new AbortController();
    const late = sleep(withinMs, answered.signal).then(() => null);
    try {
      return await Promise.race([asked, late]);
    } finally {
      answered.abort();
    }
  };
}
