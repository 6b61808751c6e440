import type { OptionSpec } from "../option-spec.ts";

export const LOCAL_EXECUTOR = {
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Task instances that one scheduler runs at once on its own machine; 0 = as many as [core] parallelism allows.",
  },
  recycle_after_tries: {
    kind: "int",
    default: 5000,
    min: 1,
    about:
      "A warm runner is replaced after this many tries. Its successor boots and warms up anew, which costs half a second of a core.",
  },
  recycle_memory_mb: {
    kind: "int",
    default: 512,
    unit: "MB",
    min: 64,
    about: "A warm runner above this size is replaced after its try.",
  },
  idle_runner_timeout: {
    kind: "float",
    default: 60,
    unit: "s",
    min: 0,
    about: "An idle runner beyond the first is ended after this long.",
  },
  isolation: {
    kind: "string",
    default: "warm",
    values: ["warm", "process"],
    about: "warm = a runner serves many tries; process = a fresh process per try.",
  },
} as const satisfies Record<string, OptionSpec>;
