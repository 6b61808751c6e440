import type { MetricName } from "../../platform/index.ts";

export type Labels = Readonly<Record<string, string>>;
export type LabelledValue = { readonly labels: Labels; readonly value: number };

/** One way out of the process. It is called with names of the table and their labels, filtered and bounded already. */
export type MetricSink = {
  count(name: MetricName, labels: Labels, by: number): void;
  gauge(name: MetricName, readings: readonly LabelledValue[]): void;
  time(name: MetricName, labels: Labels, sec: number): void;
};
