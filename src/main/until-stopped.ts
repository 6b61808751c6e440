import type { Logger } from "../platform/index.ts";

/** Resolves on the first SIGTERM or SIGINT; a second one ends the process at once. */
export function untilStopped(logger: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) {
        logger.warn({}, "asked a second time: ending at once");
        process.exit(130);
      }
      asked = true;
      resolve(signal);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
    process.on("SIGHUP", onSignal);
  });
}
