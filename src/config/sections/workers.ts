import type { OptionSpec } from "../option-spec.ts";

export const WORKERS = {
  graceful_shutdown_sec: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0,
    about:
      "How long running tasks can continue after their worker is asked to stop; then they are stopped, and retried if they have retries left.",
  },
  token: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Token of a queue worker, for its name in the worker list and for starting what its broker delivers; create it with `baram worker token --name …`.",
  },
  start_token_ttl: {
    kind: "float",
    default: 86_400,
    unit: "s",
    min: 1,
    about:
      "Lifetime of the token with which a queued workload is started, at least [scheduler] task_queued_timeout. A try that waits for longer is queued again with a new token.",
  },
  heartbeat_sec: { kind: "float", default: 5, unit: "s", min: 0.1, about: "Heartbeat interval of queue workers." },
  lost_after_sec: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A queue worker without a heartbeat for this time is shown as lost, and another worker can use its name.",
  },
  max_failed_heartbeats: {
    kind: "int",
    default: 8,
    min: 1,
    about: "Number of consecutive failed heartbeats after which a supervisor stops the try.",
  },
  execution_api_retry_window: {
    kind: "float",
    default: 600,
    unit: "s",
    min: 1,
    about: "How long a supervisor retries to report an outcome while the API is unavailable.",
  },
  module_cache_max_mb: {
    kind: "int",
    default: 512,
    unit: "MB",
    min: 1,
    about:
      "Maximum size of the module cache of a worker. The least recently used modules are removed first; modules in use are kept.",
  },
} as const satisfies Record<string, OptionSpec>;
