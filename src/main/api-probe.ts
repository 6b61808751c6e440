import { type Logger, toError } from "../platform/index.ts";

/** An API that does not answer so trivial a question within this time has no time for heartbeats either. */
const TIMEOUT_MS = 4_000;
/** What the API answers; a page of a proxy with status 200 is something else. */
const HEALTHY = /^\s*\{\s*"status"\s*:\s*"healthy"/;

/**
 * Asks the execution API, where workers reach it, whether it is there: null = yes, or it was never reached from here, so that silence
 * means nothing. An answer of a proxy in its place, whatever its status, is none: an ingress says 404 while the API is deployed anew.
 */
export function createApiProbe(apiUrl: string, logger: Logger): () => Promise<string | null> {
  const url = `${apiUrl}/execution/health`;
  let wasReached = false;
  let isTold = false;

  async function ask(): Promise<string | null> {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
      const said = await answer.text();
      if (answer.ok && HEALTHY.test(said)) return null;
      return `${url} answers ${answer.status}${answer.ok ? ", and not as Baram's API" : ""}`;
    } catch (error) {
      const { message, cause } = toError(error);
      // `fetch` says only that it failed.
      const code = (cause as NodeJS.ErrnoException | undefined)?.code;
      return `${url} cannot be reached: ${code ?? message}`;
    }
  }

  return async () => {
    const reason = await ask();
    if (reason === null && isTold && !wasReached) logger.info({ url }, "this scheduler reaches the execution API now");
    wasReached ||= reason === null;
    if (wasReached || reason === null) return reason;
    if (!isTold)
      logger.warn(
        { reason },
        "this scheduler cannot reach the execution API at the address that workers use: start an API server, or correct [api] base_url (BARAM__API__BASE_URL). If only workers can reach it, this is no fault",
      );
    isTold = true;
    return null;
  };
}
