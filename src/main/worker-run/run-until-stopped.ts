import { type Config, EVERYTHING } from "../../config/index.ts";
import type { Workload } from "../../contracts/index.ts";
import { createLogger } from "../../platform/index.ts";
import { hideSecrets } from "../hide-secrets.ts";
import { logOptionsOf } from "../log-options.ts";
import { untilStopped } from "../until-stopped.ts";
import { runOneWorkload } from "./run-one-workload.ts";

/** `baram worker run`: one workload in this process, until it has ended or a signal stops it. Throws as `runOneWorkload`. */
export function runWorkloadUntilStopped(workload: Workload, options: { config: Config; apiUrl?: string }): Promise<string> {
  // The command line contains a token and can be read by every user of the machine.
  process.title = "baram worker run";
  const logger = createLogger({ ...logOptionsOf(options.config), role: "worker" });
  hideSecrets(options.config, logger, EVERYTHING);
  const stop = new AbortController();
  void untilStopped(logger).then((signal) => stop.abort(new Error(`the worker was stopped (${signal})`)));
  return runOneWorkload(workload, { ...options, logger, stop: stop.signal });
}
