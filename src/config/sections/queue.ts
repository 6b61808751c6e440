import type { OptionSpec } from "../option-spec.ts";

export const QUEUE = {
  broker_url: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Broker of the queue executor and its workers: redis://user:password@host:6379/0, rediss://…, amqp://user:password@host:5672/vhost or amqps://….",
  },
  key_prefix: {
    kind: "string",
    default: "baram",
    about: "Before every key and channel in Redis, every queue and exchange in RabbitMQ.",
  },
  parallelism: {
    kind: "int",
    default: 0,
    min: 0,
    max: 10_000,
    about:
      "Task instances that one scheduler has at the broker or with workers at once; 0 = as many as [core] parallelism allows.",
  },
  worker_concurrency: { kind: "int", default: 16, min: 1, max: 10_000, about: "Tasks that a worker runs at once." },
  worker_prefetch_multiplier: {
    kind: "int",
    default: 1,
    min: 1,
    max: 100,
    about: "A worker has this times its concurrency in hand at most; with 1 it takes no more than it can run.",
  },
  worker_autoscale: {
    kind: "string",
    default: null,
    about: "Bounds between which a worker's concurrency follows its load, as max,min. Unset: it is worker_concurrency.",
  },
  lease_sec: {
    kind: "int",
    default: 30,
    unit: "s",
    min: 2,
    max: 3_600,
    about: "What a worker took and has not acknowledged goes to another when it is silent for this long.",
  },
  check_interval: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0.1,
    about: "How often a scheduler asks the broker whether it still has what was given to it, and which queues no worker serves.",
  },
  operation_timeout: {
    kind: "float",
    default: 5,
    unit: "s",
    min: 0.1,
    max: 600,
    about: "How long one call to the broker may take; then it is made again.",
  },
  ssl_cacert: {
    kind: "string",
    default: null,
    about: "File with the authority, in PEM, of the broker's certificate. Unset: those that Node.js knows.",
  },
  ssl_cert: { kind: "string", default: null, about: "File with our certificate, in PEM, for a broker that asks for one." },
  ssl_key: { kind: "string", default: null, about: "File with the key of ssl_cert, in PEM." },
} as const satisfies Record<string, OptionSpec>;
