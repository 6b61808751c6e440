import type { OptionSpec } from "../option-spec.ts";

export const DAG_PROCESSOR = {
  refresh_interval: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.1,
    about: "Interval at which the DAG folder is listed; a file watcher usually sees changes immediately.",
  },
  stale_dag_threshold: {
    kind: "float",
    default: 50,
    unit: "s",
    min: 0,
    about:
      "A DAG becomes stale after no dag-processor has had its file for this long. If a dag-processor saw the deletion of the file, the DAG becomes stale immediately.",
  },
  parsing_processes: { kind: "int", default: 2, min: 1, max: 64, about: "Number of DAG files evaluated in parallel." },
  file_parsing_sort_mode: {
    kind: "string",
    default: "modified_time",
    values: ["modified_time", "random_seeded_by_host", "alphabetical"],
    about: "Order in which waiting files are loaded: newest first, random but fixed for this host, or by path.",
  },
  max_callbacks_per_loop: {
    kind: "int",
    default: 20,
    min: 1,
    about: "Maximum number of callback workloads that a scheduler passes to its executor in one pass.",
  },
  print_stats_interval: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0,
    about: "Interval at which the dag-processor logs its number of files; 0 = never.",
  },
  health_check_threshold: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A dag-processor without a heartbeat for this time is unhealthy.",
  },
  enable_health_check: {
    kind: "bool",
    default: false,
    about: "Whether the dag-processor serves /health and /metrics on its own port.",
  },
  dag_processor_health_check_server_host: {
    kind: "string",
    default: "127.0.0.1",
    about: "Address of this port; 0.0.0.0 = reachable from other machines.",
  },
  dag_processor_health_check_server_port: {
    kind: "int",
    default: 8975,
    min: 0,
    max: 65_535,
    about: "Port number; 0 = any free port.",
  },
  import_folders: {
    kind: "string",
    default: "",
    form: { matches: /^\s*(\/[^,]*(,\s*\/[^,]*)*)?$/, words: "a list of absolute paths: /srv/shared, /srv/sql" },
    about:
      "Folders outside of the DAG folder that DAG files may import from, as absolute paths separated by commas. Baram itself and installed npm packages need not be named.",
  },
  max_memory_mb: {
    kind: "int",
    default: 512,
    unit: "MB",
    min: 64,
    about: "Maximum memory for bundling a DAG file, and for its evaluation.",
  },
  files_per_process: {
    kind: "int",
    default: 50,
    min: 1,
    max: 10_000,
    about:
      "Number of DAG files that one process evaluates before it is replaced. A file can change the DAGs of the files after it in the same process. 1 = a new process for each file, for installations whose authors do not trust each other; a file then takes about 0.2 s longer.",
  },
} as const satisfies Record<string, OptionSpec>;
