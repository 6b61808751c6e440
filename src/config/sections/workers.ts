import type { OptionSpec } from "../option-spec.ts";

export const WORKERS = {
  graceful_shutdown_sec: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0,
    about: "How long running tasks may go on when their worker is stopped; then they are stopped and retried.",
  },
  max_failed_heartbeats: {
    kind: "int",
    default: 8,
    min: 1,
    about: "Heartbeats refused or lost in a row before a supervisor stops the try.",
  },
  execution_api_retry_window: {
    kind: "float",
    default: 600,
    unit: "s",
    min: 1,
    about: "How long a supervisor keeps trying to report an outcome while the API cannot be reached.",
  },
  module_cache_max_mb: {
    kind: "int",
    default: 512,
    unit: "MB",
    min: 1,
    about: "How much code of DAG versions a worker keeps for later tries; those unused for longest go, and none that is in use.",
  },
} as const satisfies Record<string, OptionSpec>;
