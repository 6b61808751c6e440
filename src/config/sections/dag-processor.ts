import type { OptionSpec } from "../option-spec.ts";

export const DAG_PROCESSOR = {
  refresh_interval: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.1,
    about: "How often the DAG folder is listed; changes are mostly seen at once by the watcher.",
  },
  stale_dag_threshold: {
    kind: "float",
    default: 50,
    unit: "s",
    min: 0,
    about:
      "How long no dag-processor has had a DAG file before its DAGs are stale. A file that a dag-processor saw being deleted is not waited for.",
  },
  parsing_processes: { kind: "int", default: 2, min: 1, max: 64, about: "DAG files evaluated at once." },
  file_parsing_sort_mode: {
    kind: "string",
    default: "modified_time",
    values: ["modified_time", "random_seeded_by_host", "alphabetical"],
    about: "Order in which files that wait are loaded: newest first, in an order of this host's own, or by path.",
  },
  max_callbacks_per_loop: {
    kind: "int",
    default: 20,
    min: 1,
    about: "Callbacks owed by the platform that a scheduler hands to its executor in one pass.",
  },
  print_stats_interval: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0,
    about: "How often a dag-processor logs how many files it has; 0 = never.",
  },
  health_check_threshold: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A dag-processor silent for this long is unhealthy.",
  },
  enable_health_check: {
    kind: "bool",
    default: false,
    about: "Whether a dag-processor answers /health and /metrics on a port of its own.",
  },
  dag_processor_health_check_server_host: { kind: "string", default: "0.0.0.0", about: "Address of that port." },
  dag_processor_health_check_server_port: {
    kind: "int",
    default: 8975,
    min: 0,
    max: 65_535,
    about: "That port; 0 = any free one.",
  },
  max_memory_mb: { kind: "int", default: 512, unit: "MB", min: 64, about: "Memory a DAG file's evaluation may take." },
} as const satisfies Record<string, OptionSpec>;
