import type { OptionSpec } from "../option-spec.ts";

export const DATABASE = {
  url: {
    kind: "string",
    default: null,
    secret: true,
    form: {
      matches: /^postgres(ql)?:\/\//,
      words: "the URL of a PostgreSQL, of the form postgres://user:password@host:port/database",
    },
    about: "postgres:// URL. Unset: an embedded PostgreSQL under BARAM_HOME.",
  },
  start_timeout: {
    kind: "float",
    default: 300,
    unit: "s",
    min: 0,
    max: 86_400,
    about:
      "How long a role that starts waits for a database that cannot be reached, before it ends with an error. A wrong password or database name ends it at once.",
  },
  pool_size: { kind: "int", default: 8, min: 2, max: 200, about: "Connections one process keeps at most." },
} as const satisfies Record<string, OptionSpec>;
