import { type Logger, sleep } from "../../../platform/index.ts";
import { type JobRow, latestJobs, type Store } from "../../../store/index.ts";

/** A load balancer asks every few seconds and gives up soon; a database that needs longer than this is not well. */
const ANSWER_WITHIN_MS = 2_000;

/**
 * Asks the database for the roles' jobs, or answers null: the database cannot be reached, or did not answer in time. While a
 * question hangs no other one is sent, so that health checks do not use up the connections of a database that stands still.
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
