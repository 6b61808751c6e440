import { StatsD } from "hot-shots";
import { METRICS, type MetricName, type MetricSpec } from "../../platform/index.ts";
import type { LabelledValue, Labels, MetricSink } from "./sink.ts";

export type StatsdOptions = {
  host: string;
  port: number;
  /** Before every name, with a dot; empty = none. */
  prefix: string;
  /** Tags in Datadog's form instead of dotted names. */
  withTags: boolean;
  onError: (error: Error) => void;
};

export type StatsdSink = MetricSink & { close(): Promise<void> };

/** Airflow's own limits on a statsd name. */
const NAME_MAX = 250;
const NOT_IN_A_NAME = /[^A-Za-z0-9_.\-/]/g;
/** Below the payload of one Ethernet frame, so that no datagram is cut into pieces. */
const DATAGRAM_MAX_BYTES = 1_400;
const FLUSH_MS = 500;
const CLOSE_WITHIN_MS = 1_000;

/**
 * Sends over UDP, gathered into datagrams: a host that is down, or a name that does not resolve, costs a counted error and
 * nothing else. Without tags a labelled counter or timer goes out twice, under its name and under the dotted one; a
 * labelled gauge under its dotted names and, under its own, as their sum.
 */
export function createStatsdSink(options: StatsdOptions): StatsdSink {
  const client = new StatsD({
    protocol: "udp",
    host: options.host,
    port: options.port,
    prefix: options.prefix,
    maxBufferSize: DATAGRAM_MAX_BYTES,
    bufferFlushInterval: FLUSH_MS,
    cacheDns: true,
    datadog: options.withTags,
    includeDataDogTags: false,
    includeDatadogTelemetry: false,
    originDetection: false,
    errorHandler: options.onError,
  });
  // The socket alone must not keep a process alive that has nothing more to do.
  (client.socket as { unref?: () => void } | undefined)?.unref?.();
  const shown = new Map<MetricName, Set<string>>();

  function spell(name: MetricName, labels: Labels): { stat: string; tags?: Record<string, string> }[] {
    if (options.withTags) return [{ stat: name, tags: { ...labels } }];
    const dotted = dottedName(name, labels);
    return dotted === null ? [{ stat: name }] : [{ stat: name }, { stat: dotted }];
  }

  function gaugeDotted(name: MetricName, readings: readonly LabelledValue[]): void {
    const before = shown.get(name) ?? new Set();
    const now = new Set<string>();
    let sum = 0;
    for (const { labels, value } of readings) {
      const dotted = dottedName(name, labels);
      sum += value;
      if (dotted === null) continue;
      now.add(dotted);
      client.gauge(dotted, value);
    }
    // statsd repeats a gauge's last value for ever, so a series that is gone is set to nothing once.
    for (const gone of before) if (!now.has(gone)) client.gauge(gone, 0);
    shown.set(name, now);
    if (readings.length > 0 || before.size > 0) client.gauge(name, sum);
  }

  return {
    count(name, labels, by) {
      for (const { stat, tags } of spell(name, labels)) client.increment(stat, by, tags);
    },
    gauge(name, readings) {
      if (!options.withTags) return gaugeDotted(name, readings);
      for (const { labels, value } of readings) client.gauge(name, value, { ...labels });
    },
    time(name, labels, sec) {
      for (const { stat, tags } of spell(name, labels)) client.timing(stat, sec * 1_000, tags);
    },
    // What cannot be sent in time is let go: a name that does not resolve would hold up the end of its role.
    close: () =>
      new Promise((resolve) => {
        const limit = setTimeout(resolve, CLOSE_WITHIN_MS);
        client.close(() => {
          clearTimeout(limit);
          resolve();
        });
      }),
  };
}

/** null for a metric without labels. */
function dottedName(name: MetricName, labels: Labels): string | null {
  const { dotted, labels: names }: MetricSpec = METRICS[name];
  if (names.length === 0) return null;
  const template = dotted ?? `${name}.${names.map((label) => `{${label}}`).join(".")}`;
  return template
    .replace(/\{(\w+)\}/g, (_, label: string) => (labels[label] ?? "").replace(NOT_IN_A_NAME, "_"))
    .slice(0, NAME_MAX);
}
