import type { OptionSpec } from "../option-spec.ts";
import { AWS_ACCESS } from "./aws-access.ts";

export const ECS_EXECUTOR = {
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Maximum number of task instances that one scheduler has in ECS; 0 = [core] parallelism.",
  },
  ...AWS_ACCESS,
  cluster: { kind: "string", default: null, about: "Name or ARN of the ECS cluster; required." },
  task_definition: { kind: "string", default: null, about: "Family, family:revision or ARN of the task definition; required." },
  container_name: {
    kind: "string",
    default: null,
    about: "Name of the container in the task definition that runs `baram`; required.",
  },
  launch_type: {
    kind: "string",
    default: null,
    values: ["FARGATE", "EC2", "EXTERNAL"],
    about:
      "Where tasks run; cannot be combined with capacity_provider_strategy. Neither set: the cluster's default strategy, or FARGATE.",
  },
  capacity_provider_strategy: {
    kind: "string",
    default: null,
    about: 'JSON list of capacity providers, e.g. [{"capacityProvider":"FARGATE_SPOT","weight":1}].',
  },
  platform_version: { kind: "string", default: "LATEST", about: "Platform version of Fargate; not sent for EC2 and EXTERNAL." },
  subnets: { kind: "string", default: null, about: "Subnet ids, separated by commas, 16 at most; required for Fargate." },
  security_groups: {
    kind: "string",
    default: null,
    about: "Security group ids, separated by commas, 5 at most. Not set: the default group of the VPC.",
  },
  assign_public_ip: {
    kind: "bool",
    default: false,
    about: "Whether Fargate tasks get a public address; not sent for EC2 and EXTERNAL.",
  },
  run_task_kwargs: {
    kind: "string",
    default: null,
    about: "JSON object with further arguments of RunTask; overrides the other options and is overridden by executorConfig.",
  },
  max_run_task_attempts: {
    kind: "int",
    default: 3,
    min: 1,
    about: "Number of failed launches after which a try fails (AWS rejects the launch, or the container dies before it runs).",
  },
  capacity_wait: {
    kind: "float",
    default: 600,
    unit: "s",
    min: 0,
    about:
      "How long a try waits if AWS has no capacity for it; then it fails, and is retried if retries are left. Not counted by max_run_task_attempts.",
  },
  run_task_rate: {
    kind: "float",
    default: 20,
    unit: "1/s",
    min: 0.1,
    max: 1_000,
    about: "Maximum number of RunTask requests per second and scheduler. The default AWS quota for Fargate is 20 per account.",
  },
  poll_interval: {
    kind: "float",
    default: 5,
    unit: "s",
    min: 0.1,
    about: "Interval at which ECS is polled, for 100 tasks per request.",
  },
  check_health_on_startup: {
    kind: "bool",
    default: true,
    about: "Whether a scheduler checks the cluster, the task definition and permissions at startup, and exits if one is missing.",
  },
} as const satisfies Record<string, OptionSpec>;
