import { type Config, EVERYTHING, environmentForUserCode } from "../../config/index.ts";
import { createLocalExecutor, type Executor, type ExecutorOptions } from "../../executors/index.ts";
import { distFile } from "../dist-file.ts";
import { logOptionsOf } from "../log-options.ts";
import { supervisorOptions } from "../supervisor-options.ts";
import type { ExecutorKind } from "./kind.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

const LOCAL_CHECK = {
  launches: false,
  whenSilent: "Is the API server running, and is [api] base_url (or host and port) its address?",
};

export const localExecutor: ExecutorKind = {
  make: (config, options, around) =>
    makeLocalExecutor(config, { ...options, parallelism: config.local_executor.parallelism || options.parallelism }, around),
  check: LOCAL_CHECK,
  docs: {
    runs: "in a warm process on the scheduler's machine",
    goodFor: "a single machine; short tasks; the lowest latency",
    notFor: "more work than one machine can handle",
    page: null,
  },
};

/** The local executor with one slot. */
export const sequentialExecutor: ExecutorKind = {
  make: (config, options, around) => makeLocalExecutor(config, { ...options, parallelism: 1 }, around),
  check: LOCAL_CHECK,
  docs: {
    runs: "like LocalExecutor, but one task at a time",
    goodFor: "tasks that must never overlap; debugging",
    notFor: "throughput",
    page: null,
  },
};

function makeLocalExecutor(config: Config, options: ExecutorOptions, { apiUrl, logger }: ExecutorSurroundings): Executor {
  return createLocalExecutor(
    {
      ...options,
      supervisorEntry: distFile("main/local-supervisor.js"),
      supervisorOptions: { ...supervisorOptions(config, apiUrl, options.parallelism), log: logOptionsOf(config) },
      // It ships logs with the AWS SDK, which may read its keys there. The supervisor hides them from its runners.
      environment: environmentForUserCode(EVERYTHING),
      killGraceMs: config.core.killed_task_cleanup_time * 1_000,
    },
    logger,
  );
}
