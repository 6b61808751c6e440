import type { OptionSpec } from "../option-spec.ts";

export const LOGGING = {
  logging_level: {
    kind: "string",
    default: "info",
    values: ["debug", "info", "warn", "error"],
    about: "Level of Baram's own log on stderr. At info it contains all runs and tries.",
  },
  json_logs: {
    kind: "bool",
    default: null,
    about: "Whether Baram's own log has one JSON object per line. Not set: readable lines on a terminal, otherwise JSON.",
  },
  colored_console_log: {
    kind: "bool",
    default: true,
    about: "Whether readable lines are colored on a terminal.",
  },
  base_log_folder: {
    kind: "string",
    default: "logs",
    about: "Folder of task logs; a relative path starts at BARAM_HOME.",
  },
  max_line_bytes: {
    kind: "int",
    default: 65_536,
    unit: "bytes",
    min: 256,
    about: "Maximum length of a line in a task log; longer lines are truncated.",
  },
  max_file_bytes: {
    kind: "int",
    default: 104_857_600,
    unit: "bytes",
    min: 4_096,
    about: "Maximum size of the log of a try; a longer log is truncated.",
  },
  remote_logging: { kind: "bool", default: false, about: "Whether task logs are uploaded to remote_base_log_folder." },
  remote_base_log_folder: {
    kind: "string",
    default: null,
    about: "Remote location of task logs, as s3://bucket/prefix. Not set: remote workers send logs to the API server.",
  },
  remote_log_conn_id: {
    kind: "string",
    default: null,
    about:
      "Connection with the keys for remote_base_log_folder. Not set: the AWS SDK's default chain (environment, role of the machine).",
  },
  delete_local_logs: {
    kind: "bool",
    default: false,
    about: "Whether a task log is deleted from base_log_folder after it is completely uploaded.",
  },
} as const satisfies Record<string, OptionSpec>;
