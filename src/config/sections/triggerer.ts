import type { OptionSpec } from "../option-spec.ts";

export const TRIGGERER = {
  capacity: { kind: "int", default: 1_000, min: 1, about: "Triggers that one triggerer runs at once." },
  job_heartbeat_sec: {
    kind: "float",
    default: 5,
    unit: "s",
    min: 0.1,
    about: "How often a triggerer says that it lives, and looks for triggers of dead ones.",
  },
  triggerer_health_check_threshold: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A triggerer silent for this long is dead; its triggers are started anew by others.",
  },
  max_trigger_to_select_per_loop: {
    kind: "int",
    default: 50,
    min: 1,
    about: "Triggers that one statement takes; a smaller number shares them more evenly.",
  },
  max_processes: {
    kind: "int",
    default: 8,
    min: 1,
    max: 1_000,
    about:
      "Processes for triggers of DAG files, one per module; modules beyond this share them. As many more for triggers whose process died.",
  },
  blocked_process_timeout: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0.2,
    about: "A process of triggers whose event loop is blocked for this long is killed; its triggers are started anew.",
  },
  max_trigger_deaths: {
    kind: "int",
    default: 3,
    min: 1,
    about: "A trigger has failed when its process died this often while it was the only one in it.",
  },
  enable_health_check: {
    kind: "bool",
    default: false,
    about: "Whether a triggerer answers /health and /metrics on a port of its own.",
  },
  triggerer_health_check_server_host: { kind: "string", default: "0.0.0.0", about: "Address of that port." },
  triggerer_health_check_server_port: {
    kind: "int",
    default: 8976,
    min: 0,
    max: 65_535,
    about: "That port; 0 = any free one.",
  },
} as const satisfies Record<string, OptionSpec>;
