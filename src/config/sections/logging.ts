import type { OptionSpec } from "../option-spec.ts";

export const LOGGING = {
  logging_level: {
    kind: "string",
    default: "info",
    values: ["debug", "info", "warn", "error"],
    about: "Level of Baram's own log on stderr.",
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
} as const satisfies Record<string, OptionSpec>;
