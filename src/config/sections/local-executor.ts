import type { OptionSpec } from "../option-spec.ts";

export const LOCAL_EXECUTOR = {
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Maximum number of task instances that one scheduler runs on its own machine; 0 = [core] parallelism.",
  },
  recycle_after_tries: {
    kind: "int",
    default: 5000,
    min: 1,
    about: "A warm runner is replaced after this number of tries. The start of a new one costs about half a second of CPU time.",
  },
  recycle_memory_mb: {
    kind: "int",
    default: 512,
    unit: "MB",
    min: 64,
    about: "A warm runner that uses more memory is replaced after its try.",
  },
  idle_runner_timeout: {
    kind: "float",
    default: 60,
    unit: "s",
    min: 0,
    about: "Idle runners, except the first one, end after this time.",
  },
  isolation: {
    kind: "string",
    default: "warm",
    values: ["warm", "process"],
    about: "warm = a runner runs many tries; process = a new process per try.",
  },
} as const satisfies Record<string, OptionSpec>;
