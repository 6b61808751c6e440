import type { OptionSpec } from "../option-spec.ts";

export const EXECUTION_API = {
  jwt_expiration_time: {
    kind: "int",
    default: 600,
    unit: "s",
    min: 5,
    about: "Lifetime of the token of a running try; heartbeats renew it.",
  },
} as const satisfies Record<string, OptionSpec>;
