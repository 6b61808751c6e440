import type { OptionSpec } from "../option-spec.ts";

export const XCOM = {
  max_size_bytes: {
    kind: "int",
    default: 1_048_576,
    unit: "bytes",
    min: 64,
    // A result and its parts by `multipleOutputs` are sent in one message, which may have four times this size.
    max: 16_777_216,
    about: "Maximum size of an XCom, as JSON; a larger one fails the task.",
  },
} as const satisfies Record<string, OptionSpec>;
