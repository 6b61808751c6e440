import type { OptionSpec } from "../option-spec.ts";

export const TRIGGERER = {
  capacity: { kind: "int", default: 1_000, min: 1, about: "Maximum number of triggers per triggerer." },
  job_heartbeat_sec: {
    kind: "float",
    default: 5,
    unit: "s",
    min: 0.1,
    about: "Heartbeat interval of triggerers, and interval of the check for triggers of dead triggerers.",
  },
  triggerer_health_check_threshold: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A triggerer without a heartbeat for this time is considered dead; other triggerers restart its triggers.",
  },
  max_trigger_to_select_per_loop: {
    kind: "int",
    default: 50,
    min: 1,
    about: "Maximum number of triggers that one statement claims; a smaller number distributes them more evenly.",
  },
  max_processes: {
    kind: "int",
    default: 8,
    min: 1,
    max: 1_000,
    about:
      "Maximum number of processes for triggers of DAG files, one per module; further modules share them. The same number again is available for triggers whose process died.",
  },
  blocked_process_timeout: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0.2,
    about: "A trigger process whose event loop is blocked for this time is killed; its triggers are restarted.",
  },
  max_trigger_deaths: {
    kind: "int",
    default: 3,
    min: 1,
    about: "A trigger fails after its process has died this many times while it was the only trigger in it.",
  },
  enable_health_check: {
    kind: "bool",
    default: false,
    about: "Whether the triggerer serves /health and /metrics on its own port.",
  },
  triggerer_health_check_server_host: {
    kind: "string",
    default: "127.0.0.1",
    about: "Address of this port; 0.0.0.0 = reachable from other machines.",
  },
  triggerer_health_check_server_port: {
    kind: "int",
    default: 8976,
    min: 0,
    max: 65_535,
    about: "Port number; 0 = any free port.",
  },
} as const satisfies Record<string, OptionSpec>;
