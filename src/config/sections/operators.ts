import type { OptionSpec } from "../option-spec.ts";

export const OPERATORS = {
  default_owner: { kind: "string", default: "baram", about: "Default of owner." },
  default_queue: { kind: "string", default: "default", about: "Default of queue." },
} as const satisfies Record<string, OptionSpec>;
