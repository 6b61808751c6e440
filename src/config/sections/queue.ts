import type { OptionSpec } from "../option-spec.ts";

export const QUEUE = {
  broker_url: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Broker of the queue executor and its workers: redis://user:password@host:6379/0, rediss://…, redis+sentinel://user:password@host:26379,host2:26379/service, amqp://user:password@host:5672/vhost or amqps://….",
  },
  key_prefix: {
    kind: "string",
    default: "baram",
    about: "Prefix of all keys and channels in Redis, and of all queues and exchanges in RabbitMQ.",
  },
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about: "Maximum number of task instances that one scheduler has in the broker and on workers; 0 = [core] parallelism.",
  },
  worker_concurrency: { kind: "int", default: 16, min: 1, max: 10_000, about: "Number of tasks that a worker runs in parallel." },
  worker_prefetch_multiplier: {
    kind: "int",
    default: 1,
    min: 1,
    max: 100,
    about: "A worker takes at most its concurrency times this number of tasks; with 1 it takes no more than it can run.",
  },
  worker_autoscale: {
    kind: "string",
    default: null,
    about: "Range of the worker's concurrency, as max,min; it follows the load. Not set: worker_concurrency.",
  },
  lease_sec: {
    kind: "int",
    default: 30,
    unit: "s",
    min: 2,
    max: 3_600,
    about: "Unacknowledged messages of a worker go to another worker after it has been silent for this time.",
  },
  check_interval: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0.1,
    about: "Interval at which a scheduler checks that the broker still has its messages, and that workers serve all queues.",
  },
  operation_timeout: {
    kind: "float",
    default: 5,
    unit: "s",
    min: 0.1,
    max: 600,
    about: "Timeout of one broker call; the call is then retried.",
  },
  ssl_cacert: {
    kind: "string",
    default: null,
    about: "PEM file with the certificate authority of the broker. Not set: the authorities that Node.js trusts.",
  },
  ssl_cert: { kind: "string", default: null, about: "PEM file with the client certificate, if the broker requires one." },
  ssl_key: { kind: "string", default: null, about: "PEM file with the private key of ssl_cert." },
} as const satisfies Record<string, OptionSpec>;
