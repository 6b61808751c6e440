import type { Metrics } from "../../src/platform/index.ts";

type Labels = Readonly<Record<string, string>>;
export type Emitted = { kind: "count" | "time"; name: string; labels: Labels; value: number };

/** Metrics that a test can read: `emitted` in order, and the last value of each gauge. */
export function recordMetrics() {
  const emitted: Emitted[] = [];
  const gauges = new Map<string, readonly { labels: Labels; value: number }[]>();
  const metrics: Metrics = {
    count: (name, labels, by = 1) => void emitted.push({ kind: "count", name, labels: labels as Labels, value: by }),
    gauge: (name, readings) => void gauges.set(name, readings as readonly { labels: Labels; value: number }[]),
    time: (name, labels, sec) => void emitted.push({ kind: "time", name, labels: labels as Labels, value: sec }),
  };
  return {
    metrics,
    emitted,
    gauges,
    of: (name: string) => emitted.filter((one) => one.name === name),
    sum: (name: string) => emitted.filter((one) => one.name === name).reduce((sum, { value }) => sum + value, 0),
  };
}
