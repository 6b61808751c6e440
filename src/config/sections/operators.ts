import type { OptionSpec } from "../option-spec.ts";

export const OPERATORS = {
  default_owner: { kind: "string", default: "baram", about: "owner of tasks that do not set it." },
  default_queue: { kind: "string", default: "default", about: "queue of tasks that do not set it." },
} as const satisfies Record<string, OptionSpec>;
