import type { CounterName, GaugeName, LabelsOf, MetricName, TimerName } from "./metric-table.ts";

/** All of a gauge's series at one moment: a series that is no longer among them is gone. */
export type Reading<N extends MetricName> = { readonly labels: LabelsOf<N>; readonly value: number };

/**
 * Where parts say what they count and measure. Nothing here throws, waits or fails: a metric is never a reason for work to
 * stop. Only what stands in the table of metrics can be named.
 */
export type Metrics = {
  count<N extends CounterName>(name: N, labels: LabelsOf<N>, by?: number): void;
  gauge<N extends GaugeName>(name: N, readings: readonly Reading<N>[]): void;
  /** `sec`: seconds. */
  time<N extends TimerName>(name: N, labels: LabelsOf<N>, sec: number): void;
};

export const silentMetrics: Metrics = { count() {}, gauge() {}, time() {} };

/** Seconds since `startMs` of `performance.now()`, for `time`. */
export function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1_000;
}
