import type { OptionSpec } from "../option-spec.ts";

export const DATABASE = {
  url: {
    kind: "string",
    default: null,
    secret: true,
    about: "postgres:// URL. Unset: an embedded PostgreSQL under BARAM_HOME.",
  },
  pool_size: { kind: "int", default: 8, min: 2, max: 200, about: "Connections one process keeps at most." },
} as const satisfies Record<string, OptionSpec>;
