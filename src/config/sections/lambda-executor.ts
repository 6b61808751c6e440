import type { OptionSpec } from "../option-spec.ts";
import { AWS_ACCESS } from "./aws-access.ts";

export const LAMBDA_EXECUTOR = {
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Maximum number of task instances that one scheduler has in Lambda; 0 = [core] parallelism.",
  },
  ...AWS_ACCESS,
  function_name: { kind: "string", default: null, about: "Name or ARN of the function with the handler baram/lambda; required." },
  qualifier: { kind: "string", default: null, about: "Version or alias of the function. Not set: $LATEST." },
  queue_url: { kind: "string", default: null, about: "URL of the SQS queue for the results of functions; required." },
  dead_letter_queue_url: {
    kind: "string",
    default: null,
    about: "URL of the dead-letter SQS queue for failed invocations. Not set: only missing heartbeats show a failure.",
  },
  max_invoke_attempts: {
    kind: "int",
    default: 3,
    min: 1,
    about: "Number of rejected invocations after which a try fails.",
  },
  invoke_rate: {
    kind: "float",
    default: 50,
    unit: "1/s",
    min: 0.1,
    max: 1_000,
    about: "Maximum number of invocations per second and scheduler.",
  },
  end_wait_timeout: {
    kind: "float",
    default: 0,
    unit: "s",
    min: 0,
    about:
      "How long a stopping scheduler waits for running functions; 0 = it does not wait, and another scheduler takes them over.",
  },
  check_health_on_startup: {
    kind: "bool",
    default: true,
    about: "Whether a scheduler checks the function, the queues and permissions at startup, and exits if one is missing.",
  },
} as const satisfies Record<string, OptionSpec>;
