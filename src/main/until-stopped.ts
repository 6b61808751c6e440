import type { Logger } from "../platform/index.ts";

/** A Ctrl-C arrives from the terminal and again from npm, which forwards it: signals this close together are one request. */
const SAME_REQUEST_MS = 1_000;

/** Resolves on the first SIGTERM, SIGINT or SIGHUP; a further one, later, ends the process at once. */
export function untilStopped(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let askedAt: number | null = null;
    const onSignal = (signal: NodeJS.Signals) => {
      if (askedAt === null) {
        askedAt = Date.now();
        resolve(signal);
      } else if (Date.now() - askedAt > SAME_REQUEST_MS) {
        logger.warn({ signal }, "asked a second time: ending at once");
        process.exit(130);
      }
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
    process.on("SIGHUP", onSignal);
  });
}
