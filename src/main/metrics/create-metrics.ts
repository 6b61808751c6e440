import type { Config } from "../../config/index.ts";
import { BaramError, type Logger, METRICS, type MetricName, type Metrics, silentMetrics } from "../../platform/index.ts";
import { createPrometheusSink, type PrometheusSink } from "./prometheus-sink.ts";
import type { LabelledValue, Labels, MetricSink } from "./sink.ts";
import { createStatsdSink } from "./statsd-sink.ts";

/** A process's metrics: the emitter for its parts, and the output for a scrape. */
export type ProcessMetrics = {
  readonly metrics: Metrics;
  /** null: [metrics] prometheus_on is off. */
  readonly prometheus: PrometheusSink | null;
  /** Sends pending datagrams. */
  close(): Promise<void>;
};

export const silentProcessMetrics: ProcessMetrics = { metrics: silentMetrics, prometheus: null, close: async () => {} };

/** Only every n-th error in a row is logged: a statsd that is away must not fill the log. */
const TELL_EVERY = 1_000;

/** Creates the metrics configured in [metrics]. Throws `config_invalid` for an invalid pattern. */
export function createMetrics(config: Config, logger: Logger): ProcessMetrics {
  const options = config.metrics;
  const prometheus = options.prometheus_on ? createPrometheusSink(options.statsd_prefix) : null;
  let errors = 0;
  const statsd = options.statsd_on
    ? createStatsdSink({
        host: options.statsd_host,
        port: options.statsd_port,
        prefix: options.statsd_prefix,
        withTags: options.statsd_datadog_enabled,
        onError: (error) => {
          if (errors++ % TELL_EVERY === 0) logger.warn({ error: error.message }, "metrics cannot be sent to statsd");
        },
      })
    : null;
  const sinks = [prometheus, statsd].filter((sink) => sink !== null);
  const isWanted = createFilter(options.metrics_allow_list, options.metrics_block_list);
  return {
    metrics: sinks.length === 0 ? silentMetrics : fanOut(sinks, isWanted, options.max_series_per_metric, logger),
    prometheus,
    close: async () => statsd?.close(),
  };
}

/** The only bridge from the typed contract to the sinks: it filters metrics, limits series, and catches errors. */
function fanOut(
  sinks: readonly MetricSink[],
  isWanted: (name: MetricName) => boolean,
  seriesMax: number,
  logger: Logger,
): Metrics {
  const bound = createBound(seriesMax);
  const each = (name: MetricName, send: (sink: MetricSink) => void) => {
    if (!isWanted(name)) return;
    for (const sink of sinks) {
      try {
        send(sink);
      } catch (error) {
        logger.debug({ metric: name, error: (error as Error).message }, "a metric could not be emitted");
      }
    }
  };
  return {
    count: (name, labels, by = 1) => each(name, (sink) => sink.count(name, bound.one(name, labels), by)),
    gauge: (name, readings) => each(name, (sink) => sink.gauge(name, bound.all(readings))),
    time: (name, labels, sec) => each(name, (sink) => sink.time(name, bound.one(name, labels), Math.max(0, sec))),
  };
}

/**
 * Limits the series of a metric: further combinations of labels are counted as "other", so that neither the monitoring system nor
 * this process's memory grows with every DAG that ever existed.
 */
function createBound(seriesMax: number) {
  const known = new Map<MetricName, Set<string>>();
  const others = (labels: Labels): Labels => Object.fromEntries(Object.keys(labels).map((label) => [label, "other"]));
  const keyOf = (name: MetricName, labels: Labels) => METRICS[name].labels.map((label) => labels[label]).join("\n");
  return {
    one(name: MetricName, labels: Labels): Labels {
      if (METRICS[name].labels.length === 0) return labels;
      const series = known.get(name) ?? new Set<string>();
      known.set(name, series);
      const key = keyOf(name, labels);
      if (series.has(key)) return labels;
      if (series.size >= seriesMax) return others(labels);
      series.add(key);
      return labels;
    },
    /** All series of a gauge are set at once, so removed ones take no room. */
    all(readings: readonly LabelledValue[]): readonly LabelledValue[] {
      if (readings.length <= seriesMax) return readings;
      const rest = readings.slice(seriesMax).reduce((sum, { value }) => sum + value, 0);
      return [...readings.slice(0, seriesMax), { labels: others(readings[0]?.labels ?? {}), value: rest }];
    },
  };
}

/**
 * Comma-separated patterns that may match anywhere in a name; if both lists are set, only the allow list is used, as in Airflow.
 */
function createFilter(allow: string | null, block: string | null): (name: MetricName) => boolean {
  const allowed = patternsOf("metrics_allow_list", allow);
  const blocked = patternsOf("metrics_block_list", block);
  const names = Object.keys(METRICS) as MetricName[];
  const wanted = new Set(
    names.filter((name) => (allowed.length > 0 ? allowed.some((one) => one.test(name)) : !blocked.some((one) => one.test(name)))),
  );
  return (name) => wanted.has(name);
}

function patternsOf(option: string, text: string | null): RegExp[] {
  return (text ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "")
    .map((one) => {
      try {
        return new RegExp(one, "i");
      } catch (error) {
        throw new BaramError("config_invalid", `[metrics] ${option} names "${one}", which is no regular expression.`, {}, error);
      }
    });
}
