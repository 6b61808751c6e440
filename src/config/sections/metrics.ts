import type { OptionSpec } from "../option-spec.ts";

export const METRICS = {
  metrics_allow_list: {
    kind: "string",
    default: null,
    about: "Regular expressions, separated by commas: only metrics with a matching name are emitted. Not set: all metrics.",
  },
  metrics_block_list: {
    kind: "string",
    default: null,
    about:
      "Regular expressions, separated by commas: metrics with a matching name are not emitted; ignored if metrics_allow_list is set.",
  },
  max_series_per_metric: {
    kind: "int",
    default: 1_000,
    min: 1,
    about: 'Maximum number of label combinations of one metric per process; further ones are counted under "other".',
  },
  prometheus_on: {
    kind: "bool",
    default: true,
    about: "Whether the API server and the health ports serve /metrics.",
  },
  prometheus_token: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Bearer token for /metrics. The API server also accepts a user's token. Not set: only a user's token is accepted there, and health ports serve /metrics only if they listen on this machine alone.",
  },
  statsd_on: { kind: "bool", default: false, about: "Whether metrics are sent to statsd." },
  statsd_host: { kind: "string", default: "localhost", about: "Host of statsd." },
  statsd_port: { kind: "int", default: 8125, min: 1, max: 65_535, about: "UDP port of statsd." },
  statsd_prefix: {
    kind: "string",
    default: "airflow",
    about: "Prefix of all metric names in statsd and Prometheus; with the default, Airflow dashboards work.",
  },
  statsd_datadog_enabled: {
    kind: "bool",
    default: false,
    about: "Whether labels are sent as Datadog tags instead of as parts of the name.",
  },
} as const satisfies Record<string, OptionSpec>;
