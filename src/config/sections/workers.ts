import type { OptionSpec } from "../option-spec.ts";

export const WORKERS = {
  graceful_shutdown_sec: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0,
    about: "How long running tasks may go on when their worker is stopped; then they are stopped and retried.",
  },
  token: {
    kind: "string",
    default: null,
    secret: true,
    about: "What a queue worker shows the API to keep its row in the list of workers; made by `baram worker token`.",
  },
  heartbeat_sec: { kind: "float", default: 5, unit: "s", min: 0.1, about: "How often a queue worker says that it lives." },
  lost_after_sec: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A queue worker silent for this long is shown as lost, and its name is free again.",
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
