import type { OptionSpec } from "../option-spec.ts";

export const LOGGING = {
  logging_level: {
    kind: "string",
    default: "info",
    values: ["debug", "info", "warn", "error"],
    about: "Level of Baram's own log on stderr. At info it tells of each run and each try.",
  },
  json_logs: {
    kind: "bool",
    default: null,
    about: "Whether Baram's own log is one JSON object per line. Unset: readable lines on a terminal, JSON everywhere else.",
  },
  colored_console_log: {
    kind: "bool",
    default: true,
    about: "Whether readable lines are coloured on a terminal.",
  },
  base_log_folder: {
    kind: "string",
    default: "logs",
    about: "Folder of the tasks' logs; a relative path starts at BARAM_HOME.",
  },
  max_line_bytes: {
    kind: "int",
    default: 65_536,
    unit: "bytes",
    min: 256,
    about: "A longer line of a task's log is cut, with a mark.",
  },
  max_file_bytes: {
    kind: "int",
    default: 104_857_600,
    unit: "bytes",
    min: 4_096,
    about: "A try's log is cut at this size, with a mark.",
  },
  remote_logging: { kind: "bool", default: false, about: "Whether tries' logs are brought to remote_base_log_folder." },
  remote_base_log_folder: {
    kind: "string",
    default: null,
    about:
      "Where tries' logs are kept beside base_log_folder, as s3://bucket/prefix. Unset: workers elsewhere send them to the API server.",
  },
  remote_log_conn_id: {
    kind: "string",
    default: null,
    about:
      "Connection with the keys for remote_base_log_folder. Unset: what the AWS SDK finds (environment, role of the machine).",
  },
  delete_local_logs: {
    kind: "bool",
    default: false,
    about: "Whether a try's log is deleted from base_log_folder when all of it is at remote_base_log_folder.",
  },
} as const satisfies Record<string, OptionSpec>;
