import type { OptionSpec } from "../option-spec.ts";
import { AWS_ACCESS } from "./aws-access.ts";

export const LAMBDA_EXECUTOR = {
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Task instances that one scheduler has in Lambda at once; 0 = as many as [core] parallelism allows.",
  },
  ...AWS_ACCESS,
  function_name: { kind: "string", default: null, about: "Name or ARN of the function whose handler is baram/lambda; needed." },
  qualifier: { kind: "string", default: null, about: "Version or alias of the function. Unset: $LATEST." },
  queue_url: { kind: "string", default: null, about: "URL of the SQS queue that functions send their results to; needed." },
  dead_letter_queue_url: {
    kind: "string",
    default: null,
    about: "URL of the SQS queue that Lambda puts invocations into that it gave up. Unset: only heartbeats tell of those.",
  },
  max_invoke_attempts: {
    kind: "int",
    default: 3,
    min: 1,
    about: "Invocations of one try that AWS may refuse before the try fails.",
  },
  invoke_rate: {
    kind: "float",
    default: 50,
    unit: "1/s",
    min: 0.1,
    max: 1_000,
    about: "Invocations that one scheduler sends a second, at most.",
  },
  end_wait_timeout: {
    kind: "float",
    default: 0,
    unit: "s",
    min: 0,
    about: "How long a scheduler that ends waits for functions that run; 0 = not at all: another scheduler goes on with them.",
  },
  check_health_on_startup: {
    kind: "bool",
    default: true,
    about: "Whether a scheduler asks for function, queues and permissions when it starts, and ends where one is missing.",
  },
} as const satisfies Record<string, OptionSpec>;
