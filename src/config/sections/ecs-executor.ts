import type { OptionSpec } from "../option-spec.ts";
import { AWS_ACCESS } from "./aws-access.ts";

export const ECS_EXECUTOR = {
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Task instances that one scheduler has in ECS at once; 0 = as many as [core] parallelism allows.",
  },
  ...AWS_ACCESS,
  cluster: { kind: "string", default: null, about: "Name or ARN of the ECS cluster; needed." },
  task_definition: { kind: "string", default: null, about: "Family, family:revision or ARN of the task definition; needed." },
  container_name: { kind: "string", default: null, about: "The task definition's container that runs `baram`; needed." },
  launch_type: {
    kind: "string",
    default: null,
    values: ["FARGATE", "EC2", "EXTERNAL"],
    about: "Where tasks run; not beside capacity_provider_strategy. Neither: the cluster's default strategy, else FARGATE.",
  },
  capacity_provider_strategy: {
    kind: "string",
    default: null,
    about: 'JSON list of capacity providers, e.g. [{"capacityProvider":"FARGATE_SPOT","weight":1}].',
  },
  platform_version: { kind: "string", default: "LATEST", about: "Platform version of Fargate; not sent for EC2 and EXTERNAL." },
  subnets: { kind: "string", default: null, about: "Subnet ids, separated by commas, 16 at most; needed for Fargate." },
  security_groups: {
    kind: "string",
    default: null,
    about: "Security group ids, separated by commas, 5 at most. Unset: the VPC's default.",
  },
  assign_public_ip: {
    kind: "bool",
    default: false,
    about: "Whether Fargate tasks get a public address; not sent for EC2 and EXTERNAL.",
  },
  run_task_kwargs: {
    kind: "string",
    default: null,
    about: "JSON object of further arguments of RunTask, laid over those of the other options; executorConfig is laid over it.",
  },
  max_run_task_attempts: {
    kind: "int",
    default: 3,
    min: 1,
    about: "Launches of one try that AWS may refuse, or whose container dies before it runs, before the try fails.",
  },
  run_task_rate: {
    kind: "float",
    default: 20,
    unit: "1/s",
    min: 0.1,
    max: 1_000,
    about:
      "RunTask requests that one scheduler sends a second, at most; AWS allows an account 20 on Fargate unless it is raised.",
  },
  poll_interval: {
    kind: "float",
    default: 5,
    unit: "s",
    min: 0.1,
    about: "How often ECS is asked about the tasks that it has, 100 with each request.",
  },
  check_health_on_startup: {
    kind: "bool",
    default: true,
    about: "Whether a scheduler asks for cluster, task definition and permissions when it starts, and ends where one is missing.",
  },
} as const satisfies Record<string, OptionSpec>;
