import type { OptionSpec } from "../option-spec.ts";

export const DATABASE = {
  url: {
    kind: "string",
    default: null,
    secret: true,
    form: {
      matches: /^postgres(ql)?:\/\//,
      words: "a PostgreSQL URL, for example postgres://user:password@host:port/database",
    },
    about: "PostgreSQL URL. Not set: an embedded PostgreSQL in BARAM_HOME.",
  },
  start_timeout: {
    kind: "float",
    default: 300,
    unit: "s",
    min: 0,
    max: 86_400,
    about:
      "How long a role waits for the database at startup before it exits with an error. A wrong password or database name stops it immediately.",
  },
  pool_size: { kind: "int", default: 8, min: 2, max: 200, about: "Maximum number of connections per process." },
} as const satisfies Record<string, OptionSpec>;
