import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type MetricName, type MetricSpec } from "../../platform/index.ts";
import type { MetricSink } from "./sink.ts";

export type PrometheusSink = MetricSink & {
  readonly contentType: string;
  /** The exposition in Prometheus's text format. */
  expose(): Promise<string>;
};

/** Seconds. The engine's own timers have no labels and fine buckets; those per DAG or task are many and have coarse ones. */
const FINE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COARSE_BUCKETS = [0.1, 1, 10, 60, 600, 3_600];

/** Series by name and labels, of this process; a metric appears with its first value. `prefix`: before every name, with `_`. */
export function createPrometheusSink(prefix: string): PrometheusSink {
  const registry = new Registry();
  const counters = new Map<MetricName, Counter>();
  const gauges = new Map<MetricName, Gauge>();
  const timers = new Map<MetricName, Histogram>();

  function make<T>(made: Map<MetricName, T>, name: MetricName, create: (configuration: Configuration) => T): T {
    const known = made.get(name);
    if (known) return known;
    const spec: MetricSpec = METRICS[name];
    const one = create({
      name: prometheusName(prefix, name),
      help: spec.about,
      labelNames: [...spec.labels],
      registers: [registry],
    });
    made.set(name, one);
    return one;
  }

  return {
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    count: (name, labels, by) => make(counters, name, (given) => new Counter(given)).inc({ ...labels }, by),
    gauge(name, readings) {
      const gauge = make(gauges, name, (given) => new Gauge(given));
      gauge.reset();
      // A gauge without labels shows 0 after a reset; nobody measured that.
      if (readings.length === 0) gauge.remove();
      for (const { labels, value } of readings) gauge.set({ ...labels }, value);
    },
    time(name, labels, sec) {
      const buckets = METRICS[name].labels.length === 0 ? FINE_BUCKETS : COARSE_BUCKETS;
      make(timers, name, (given) => new Histogram({ ...given, buckets })).observe({ ...labels }, sec);
    },
  };
}

type Configuration = { name: string; help: string; labelNames: string[]; registers: Registry[] };

/** As Prometheus names things: `_total` after a counter, `_seconds` after a timer. */
export function prometheusName(prefix: string, name: MetricName): string {
  const { kind, unit }: MetricSpec = METRICS[name];
  const suffix = kind === "counter" ? "_total" : unit === "s" ? "_seconds" : "";
  return `${prefix === "" ? "" : `${prefix}_`}${name}${suffix}`.replace(/[^A-Za-z0-9_]/g, "_");
}
