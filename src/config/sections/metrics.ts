import type { OptionSpec } from "../option-spec.ts";

export const METRICS = {
  metrics_allow_list: {
    kind: "string",
    default: null,
    about: "Regular expressions, separated by commas: only metrics whose name matches one are emitted. Unset: all.",
  },
  metrics_block_list: {
    kind: "string",
    default: null,
    about:
      "Regular expressions, separated by commas: metrics whose name matches one are not emitted; not read beside metrics_allow_list.",
  },
  max_series_per_metric: {
    kind: "int",
    default: 1_000,
    min: 1,
    about: 'Combinations of labels that one metric has in a process at most; further ones are counted under "other".',
  },
  prometheus_on: {
    kind: "bool",
    default: true,
    about: "Whether /metrics is answered: by the API server, and by a role's health port where that is on.",
  },
  prometheus_token: {
    kind: "string",
    default: null,
    secret: true,
    about: "Bearer token that a scrape of /metrics must carry. Unset: whoever reaches the port may read it.",
  },
  statsd_on: { kind: "bool", default: false, about: "Whether metrics are sent to statsd." },
  statsd_host: { kind: "string", default: "localhost", about: "Host of statsd." },
  statsd_port: { kind: "int", default: 8125, min: 1, max: 65_535, about: "UDP port of statsd." },
  statsd_prefix: {
    kind: "string",
    default: "airflow",
    about: "Before every metric's name, in statsd and in Prometheus; the default makes dashboards for Airflow fit.",
  },
  statsd_datadog_enabled: {
    kind: "bool",
    default: false,
    about: "Whether labels are sent as tags in Datadog's form, instead of as parts of the name.",
  },
} as const satisfies Record<string, OptionSpec>;
